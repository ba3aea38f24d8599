//! Which servers there are.

/// A server of the machine's own packages; `fixtures/servers/NAME` starts it and asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// Its name, that of its directory too.
    pub name: &'static str,
    /// Programs that have to be installed.
    pub needs: &'static [&'static str],
    /// As what it runs; none is root inside.
    pub user: Option<&'static str>,
    /// What its last process returns when it is told to end.
    pub ends_with: i32,
    /// What is known of it after time has elapsed.
    pub afterwards: Afterwards,
}

/// Whether a server comes to rest once time has elapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    /// It makes up, one by one, for every time that a timer of its own was passed over, and takes minutes.
    MakesUp,
    /// It does, within the patience of a motion.
    Rests,
}

const fn server(name: &'static str, needs: &'static [&'static str]) -> Server {
    Server { name, needs, user: None, ends_with: 0, afterwards: Afterwards::Rests }
}

/// All of them.
pub const ALL: [Server; 9] = [
    // It ends by the signal, once it has closed everything.
    Server { ends_with: 143, ..server("etcd", &["etcd", "etcdctl"]) },
    server("mariadb", &["mariadbd", "mariadb-install-db", "mariadb"]),
    server("mosquitto", &["mosquitto", "mosquitto_pub", "mosquitto_sub"]),
    server("nginx", &["nginx"]),
    server("openssh", &["sshd", "ssh", "ssh-keygen"]),
    Server { user: Some("postgres"), ..server("postgresql", &["postgres", "initdb", "psql"]) },
    // `timer:send_interval` of Erlang sends a message for each.
    Server {
        afterwards: Afterwards::MakesUp,
        ..server("rabbitmq", &["/usr/lib/rabbitmq/bin/rabbitmq-server", "erl"])
    },
    server("redis", &["redis-server", "redis-cli"]),
    // So ends every JVM that SIGTERM ends, its hooks done.
    Server { ends_with: 143, ..server("tomcat", &["java", "/usr/share/tomcat10/bin/catalina.sh"]) },
];

impl Server {
    /// The server of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|server| server.name == name)
    }
}
