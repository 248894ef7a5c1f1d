//! Whom the processes of images run as.

use super::ProcessError;
use std::fs;

/// A user, by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The user that is meant by a name or a number. None where processes run as the node does.
pub(super) fn user(name: Option<&str>) -> Result<Option<User>, ProcessError> {
    let is_root = rustix::process::geteuid().is_root();
    match name {
        None if is_root => Err(ProcessError::UserMissing),
        None => Ok(None),
        Some(name) => {
            let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
            let user = find(&passwd, name).ok_or_else(|| ProcessError::NoUser { name: name.to_owned() })?;
            match user.uid {
                uid if uid == rustix::process::geteuid().as_raw() => Ok(None),
                _ if is_root => Ok(Some(user)),
                _ => Err(ProcessError::UserNotOurs { name: name.to_owned() }),
            }
        }
    }
}

/// A number need not be in the file: then the group has the same.
fn find(passwd: &str, name: &str) -> Option<User> {
    let numbers = |line: &str| {
        let mut fields = line.split(':');
        let (found, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let user = User { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
        (found == name || uid == name).then_some(user)
    };
    let number = || name.parse().ok().map(|uid| User { uid, gid: uid });
    passwd.lines().find_map(numbers).or_else(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nodeon-run:x:990:991::/nonexistent:/bin/false\n";

    #[test]
    fn a_user_is_found_by_name_or_number() {
        assert_eq!(find(PASSWD, "odeon-run"), Some(User { uid: 990, gid: 991 }));
        assert_eq!(find(PASSWD, "990"), Some(User { uid: 990, gid: 991 }));
        assert_eq!(find(PASSWD, "4000"), Some(User { uid: 4000, gid: 4000 }));
        assert_eq!(find(PASSWD, "nobody"), None);
        assert_eq!(find(PASSWD, ""), None);
    }
}
