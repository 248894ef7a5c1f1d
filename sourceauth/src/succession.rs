//! Which image may follow which: an old version does not come back by itself, and one version is one content.
//!
//! An old image is as well signed as it ever was, so signatures do not keep it out.

use crate::{SourceHash, Version};

/// A version of some name that is approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// Its version.
    pub version: Version,
    /// Its hash.
    pub hash: SourceHash,
}

/// Why an image may not follow those that are approved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Rollback {
    #[error(
        "version {version:?} is older than {newest:?}, which is approved ({hash}): push it with --allow-older if it is to \
         come back"
    )]
    Older { version: String, newest: String, hash: SourceHash },
    #[error(
        "version {version:?} is approved with other bytes ({hash}): give the image a new version, or push it with \
         --allow-older if one version is to have two contents"
    )]
    OtherBytes { version: String, hash: SourceHash },
}

/// Whether an image may follow the approved ones of its name. One that is among them may be pushed as often as one likes.
pub fn may_follow(image: &Approved, approved: &[Approved]) -> Result<(), Rollback> {
    if approved.iter().any(|known| known.hash == image.hash) {
        return Ok(());
    }
    let version = image.version.to_string();
    match approved.iter().max_by(|a, b| a.version.cmp(&b.version)) {
        Some(newest) if newest.version > image.version => {
            Err(Rollback::Older { version, newest: newest.version.to_string(), hash: newest.hash })
        }
        Some(newest) if newest.version == image.version => Err(Rollback::OtherBytes { version, hash: newest.hash }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    fn image(version: &str, bytes: &str) -> Approved {
        Approved { version: version.parse().unwrap(), hash: hash(bytes.as_bytes()) }
    }

    #[test]
    fn newer_versions_follow_older_ones_and_the_same_bytes_themselves() {
        let approved = [image("1.9", "a"), image("1.10", "b"), image("", "c")];
        for next in [image("1.11", "d"), image("2", "d"), image("1.10.1", "d")] {
            assert_eq!(may_follow(&next, &approved), Ok(()), "{next:?}");
        }
        for known in &approved {
            assert_eq!(may_follow(known, &approved), Ok(()), "{known:?}");
        }
        assert_eq!(may_follow(&image("", "first"), &[]), Ok(()));
    }

    #[test]
    fn older_versions_and_other_bytes_of_the_newest_do_not_follow() {
        let approved = [image("1.10", "b"), image("1.9", "a")];
        for older in [image("1.9.9", "d"), image("1.9", "d"), image("", "d"), image("1.10rc1", "d")] {
            let why = may_follow(&older, &approved).unwrap_err();
            assert!(
                matches!(&why, Rollback::Older { newest, hash, .. } if newest == "1.10" && *hash == approved[0].hash)
            );
        }
        let why = may_follow(&image("1.10", "d"), &approved).unwrap_err();
        assert_eq!(why, Rollback::OtherBytes { version: "1.10".into(), hash: approved[0].hash });
        assert!(why.to_string().contains("--allow-older"), "{why}");
        let why = may_follow(&image("", "d"), &[image("", "e")]).unwrap_err();
        assert!(matches!(why, Rollback::OtherBytes { .. }), "no version is a version too: {why}");
    }
}
