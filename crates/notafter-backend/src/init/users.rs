//! Whom a service runs as: names of the image become numbers.

use std::collections::BTreeSet;

/// A resolved user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Supplementary groups, the primary one included.
    pub(super) groups: Vec<u32>,
    pub(super) home: String,
}

/// The lines of passwd(5) and group(5) files are hostile input: anything malformed is skipped.
fn fields(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

/// Finds `wanted` (`user` or `user:group`, names or numbers; none is root) in the image's `passwd` and `group`.
///
/// A number needs no entry; its group is then 0, as in Docker.
pub(super) fn find(wanted: Option<&str>, passwd: &str, group: &str) -> Result<User, String> {
    let wanted = wanted.unwrap_or("0");
    let (user, explicit_group) = match wanted.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (wanted, None),
    };
    let entry = fields(passwd)
        .find(|entry| entry.len() >= 6 && (entry[0] == user || (is_number(user) && entry[2] == user)));
    let (name, uid, primary, home) = match entry {
        Some(entry) => (entry[0], number(entry[2], "user")?, number(entry[3], "group")?, entry[5].to_owned()),
        None if is_number(user) => ("", number(user, "user")?, 0, "/".to_owned()),
        None => return Err(format!("user {user} is not in the image's /etc/passwd")),
    };
    let gid = match explicit_group {
        None => primary,
        Some(wanted) => find_group(wanted, group)?,
    };
    let mut groups = BTreeSet::from([gid]);
    if explicit_group.is_none() && !name.is_empty() {
        let member = |entry: &Vec<&str>| entry.len() >= 4 && entry[3].split(',').any(|member| member == name);
        groups.extend(fields(group).filter(member).filter_map(|entry| entry[2].parse::<u32>().ok()));
    }
    let home = if home.starts_with('/') { home } else { "/".to_owned() };
    Ok(User { uid, gid, groups: groups.into_iter().collect(), home })
}

fn find_group(wanted: &str, group: &str) -> Result<u32, String> {
    if is_number(wanted) {
        return number(wanted, "group");
    }
    match fields(group).find(|entry| entry.len() >= 3 && entry[0] == wanted) {
        Some(entry) => number(entry[2], "group"),
        None => Err(format!("group {wanted} is not in the image's /etc/group")),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(text: &str, what: &str) -> Result<u32, String> {
    // The greatest value means "no change" to setresuid(2).
    let number = text.parse().ok().filter(|number| *number != u32::MAX);
    number.ok_or_else(|| format!("`{text}` is no {what} id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/sh\nbad line\nwww:x:33:34::/var/www:/x\nodd:x:-1:0::/:/x\n";
    const GROUP: &str = "root:x:0:\nwww:x:34:\nssl:x:104:www,other\nlogs:x:105:other\n";

    fn check(wanted: Option<&str>, uid: u32, gid: u32, groups: &[u32], home: &str) {
        let expected = User { uid, gid, groups: groups.to_vec(), home: home.to_owned() };
        assert_eq!(find(wanted, PASSWD, GROUP), Ok(expected), "{wanted:?}");
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        check(None, 0, 0, &[0], "/root");
        check(Some("www"), 33, 34, &[34, 104], "/var/www");
        check(Some("33"), 33, 34, &[34, 104], "/var/www");
        check(Some("www:logs"), 33, 105, &[105], "/var/www");
        check(Some("1000"), 1000, 0, &[0], "/");
        check(Some("1000:7"), 1000, 7, &[7], "/");
    }

    #[test]
    fn what_is_no_user_is_refused() {
        for wanted in ["nobody", "www:nobody", "4294967295", "99999999999", "odd", "", ":"] {
            assert!(find(Some(wanted), PASSWD, GROUP).is_err(), "{wanted:?}");
        }
    }
}
