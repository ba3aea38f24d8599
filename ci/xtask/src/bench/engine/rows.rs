//! What is measured, and what is asked of it.

use super::side::Cpus;

/// How the work of a row is done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    /// A program of others, from its start to its end: its words after the directory of built guests is put for `@`.
    Program(&'static [&'static str]),
    /// A server of `fixtures/bench`, under load from outside.
    Server,
    /// A way of `fixtures/bench/costs.c`, so often.
    Way(u32),
}

/// What is asked of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Asked {
    /// No longer each than this many microseconds.
    Micros(f64),
    /// Nothing: it is shown for comparison.
    Nothing,
    /// At most this times what it takes natively.
    Ratio(f64),
}

/// One thing that is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The name of its way or directory, and the one for `--only`.
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) work: Work,
    /// Programs that have to be installed.
    pub(super) needs: &'static [&'static str],
    /// Options of `notafter at`.
    pub(super) options: &'static [&'static str],
    /// What is asked on one processor, and on all.
    pub(super) asked: [(Cpus, Asked); 2],
}

const fn asked(one: Asked, all: Asked) -> [(Cpus, Asked); 2] {
    [(Cpus::One, one), (Cpus::All, all)]
}

const fn way(name: &'static str, what: &'static str, count: u32, bound: Asked) -> Row {
    Row { name, what, work: Work::Way(count), needs: &["cc"], options: &[], asked: asked(bound, bound) }
}

const fn file_times(name: &'static str, what: &'static str, count: u32) -> Row {
    Row { options: &["--file-times"], ..way(name, what, count, Asked::Nothing) }
}

const READ: Asked = Asked::Ratio(1.10);
const SERVER: [(Cpus, Asked); 2] = asked(Asked::Nothing, Asked::Ratio(1.03));

/// All of them.
pub(super) const ROWS: [Row; 20] = [
    way("realtime", "`clock_gettime`, realtime", 2_000_000, READ),
    way("monotonic", "`clock_gettime`, monotonic", 2_000_000, READ),
    way("gettimeofday", "`gettimeofday`", 2_000_000, READ),
    way("time", "`time`", 2_000_000, READ),
    way("raw", "`clock_gettime` by system call", 5_000, Asked::Micros(25.0)),
    Row {
        // Unpinned the issue asks for less than libfaketime's 1.38.
        asked: asked(Asked::Ratio(1.10), Asked::Ratio(1.38)),
        ..way("exec", "200 × exec of `/bin/true`", 200, Asked::Nothing)
    },
    way("threads", "3000 threads", 3_000, Asked::Ratio(1.10)),
    way("signals", "20,000 signals", 20_000, Asked::Ratio(1.10)),
    way("fork", "fork and end of the child", 500, Asked::Ratio(1.10)),
    way("condvar", "condition variable with a realtime deadline", 4_000, Asked::Ratio(1.5)),
    way("epoll", "timed `epoll_wait`, ready at once", 5_000, Asked::Nothing),
    way("futex", "timed futex wait, refused at once", 5_000, Asked::Nothing),
    file_times("stat-old", "`stat` of an older file, times of files shifted", 20_000),
    file_times("stat-new", "`stat` of a file just written, times of files shifted", 5_000),
    program(
        "dd",
        "`dd bs=1`, 500,000 blocks",
        &["dd"],
        &["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=500000", "status=none"],
    ),
    program(
        "java",
        "JVM with garbage collection",
        &["java", "javac"],
        &["java", "-Xmx64m", "-cp", "@", "Churn"],
    ),
    program("go", "Go program with garbage collection", &["go"], &["@/churn"]),
    server("nginx", "nginx, 5000 requests of `ab`", &["nginx", "ab"]),
    server("postgresql", "PostgreSQL, `pgbench -S`", &["pgbench", "initdb", "runuser"]),
    server("mariadb", "MariaDB, `mysqlslap`", &["mariadbd", "mariadb-install-db", "mysqlslap"]),
];

const fn program(
    name: &'static str,
    what: &'static str,
    needs: &'static [&'static str],
    words: &'static [&'static str],
) -> Row {
    let asked = asked(Asked::Nothing, Asked::Nothing);
    Row { name, what, work: Work::Program(words), needs, options: &[], asked }
}

const fn server(name: &'static str, what: &'static str, needs: &'static [&'static str]) -> Row {
    Row { name, what, work: Work::Server, needs, options: &[], asked: SERVER }
}

impl Row {
    /// The row of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        ROWS.into_iter().find(|row| row.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_for_two_rows() {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROWS.len());
        assert!(names.iter().all(|name| Row::named(name).is_some()) && Row::named("nothing").is_none());
    }
}
