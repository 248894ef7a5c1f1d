//! What a node verifies itself, whatever its leader says (`--image-signers`): the signatures that approved an image,
//! against allowed signers of its own. They are kept beside the images, so that the next start needs nobody to ask.

use super::TransferError;
use crate::admin::frame::{read_frame, write_frame};
use crate::admin::protocol::{Reply, Request};
use crate::durable;
use crate::link::Links;
use crate::logs::time;
use crate::purpose;
use hashbrown::HashMap;
use odeon::NodeRef;
use odeon_convention::types::SourceHash;
use odeon_sourceauth::limits::{EVIDENCE_BYTES_MAX, SIGNATURES_MAX};
use odeon_sourceauth::{Image, Keyring};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of the signatures of one image on disk: what JSON adds included.
const KEPT_BYTES_MAX: u64 = 4 * EVIDENCE_BYTES_MAX as u64;

/// The signers that this node wants to see itself.
pub(crate) struct OwnSigners {
    keyring: Keyring,
    folder: PathBuf,
    /// What was verified by this start of the node, each up to which second.
    approved: Mutex<HashMap<SourceHash, Option<u64>>>,
}

impl OwnSigners {
    /// Keeps signatures in this folder, which is made if it is not there.
    pub(crate) fn open(keyring: Keyring, folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self { keyring, folder: folder.to_owned(), approved: Mutex::default() })
    }

    /// Whether it was verified before and still counts.
    pub(super) fn knows(&self, hash: SourceHash) -> bool {
        let until = self.approved.lock().get(&hash).copied();
        until.is_some_and(|until| until.is_none_or(|until| now_unix_s() <= until))
    }

    /// Verifies an image against the signatures that are kept of it. Blocks on the disk.
    pub(super) fn verify(&self, image: &Image) -> Result<(), TransferError> {
        let hash = SourceHash(image.hash().0);
        let evidence = self.kept(hash)?;
        let approval = self.keyring.approve(image, &evidence, now_unix_s());
        let approval = approval.map_err(|source| TransferError::NotSigned { hash, source: Box::new(source) })?;
        self.approved.lock().insert(hash, approval.until_unix_s);
        Ok(())
    }

    /// Keeps what is said to have approved an image, in place of what was kept before. Blocks on the disk.
    pub(super) fn keep(&self, hash: SourceHash, evidence: &[String]) -> Result<(), TransferError> {
        let bytes: usize = evidence.iter().map(String::len).sum();
        if evidence.len() > SIGNATURES_MAX || bytes > EVIDENCE_BYTES_MAX {
            return Err(TransferError::Evidence { hash, signatures: evidence.len(), bytes });
        }
        let text = serde_json::to_vec(evidence).map_err(io::Error::other)?;
        Ok(durable::write(&self.path(hash), &text, 0o600)?)
    }

    pub(super) fn forget(&self, hash: SourceHash) {
        self.approved.lock().remove(&hash);
        if let Err(error) = std::fs::remove_file(self.path(hash))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(image = %hash, %error, "the signatures of an image stay on disk");
        }
    }

    /// What is kept of an image: nothing where nothing is, or what is there is damaged. Then it is asked for. Blocks on the
    /// disk.
    pub(super) fn kept(&self, hash: SourceHash) -> Result<Vec<String>, TransferError> {
        let mut text = Vec::new();
        match File::open(self.path(hash)) {
            Ok(file) => file.take(KEPT_BYTES_MAX).read_to_end(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        Ok(serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(image = %hash, %error, "the signatures of an image are damaged");
            Vec::new()
        }))
    }

    fn path(&self, hash: SourceHash) -> PathBuf {
        self.folder.join(format!("{hash}.json"))
    }
}

/// Asks the leader for what approved an image. Nothing of it is believed.
pub(super) async fn ask(links: &Links, leader: NodeRef, hash: SourceHash) -> Result<Vec<String>, TransferError> {
    let (mut send, mut recv) = links.open(leader, purpose::ADMIN).await?;
    write_frame(&mut send, &Request::ShowImage { image: hash.to_string() }).await?;
    match read_frame(&mut recv).await? {
        Some(Reply::Image(image)) => Ok(image.approvals.into_iter().map(|one| one.text).collect()),
        Some(Reply::Failed(failed)) => Err(TransferError::Refused { node: leader, hash, reason: failed.message }),
        Some(_) => Err(TransferError::Refused { node: leader, hash, reason: "it answers something else".to_owned() }),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

fn now_unix_s() -> u64 {
    time::now_ms() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon_sourceauth::Rejection;
    use std::process::{Command, Stdio};

    /// An image, its signature, and a keyring that has the key that made it.
    fn signed(folder: &Path) -> (Image, String, Keyring) {
        let image = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/hello/hello.zip");
        let key = folder.join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.expect("ssh-keygen is there (package openssh-client)").success());
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-Y", "sign", "-n", "odeon-image", "-f"]).arg(&key).stdin(File::open(image).unwrap());
        let signature = String::from_utf8(sign.stderr(Stdio::null()).output().unwrap().stdout).unwrap();
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let keyring = Keyring::parse(&format!("ops@example.org {public}"), 1).unwrap();
        (Image::open(std::fs::read(image).unwrap()).unwrap(), signature, keyring)
    }

    #[test]
    fn an_image_is_verified_by_what_is_kept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (image, signature, keyring) = signed(folder.path());
        let own = OwnSigners::open(keyring.clone(), &folder.path().join("kept")).unwrap();
        let hash = SourceHash(image.hash().0);
        let missing = |result: Result<(), TransferError>| match result {
            Err(TransferError::NotSigned { source, .. }) => *source == Rejection::SignatureMissing,
            _ => false,
        };
        assert!(missing(own.verify(&image)) && !own.knows(hash));
        own.keep(hash, std::slice::from_ref(&signature)).unwrap();
        own.verify(&image).unwrap();
        assert!(own.knows(hash));
        let again = OwnSigners::open(keyring, &folder.path().join("kept")).unwrap();
        assert!(!again.knows(hash), "another start verifies anew");
        again.verify(&image).unwrap();
        std::fs::write(again.path(hash), "damaged").unwrap();
        assert!(missing(again.verify(&image)));
        own.forget(hash);
        assert!(!own.knows(hash) && missing(own.verify(&image)));
        let many = vec![signature; SIGNATURES_MAX + 1];
        assert!(matches!(own.keep(hash, &many), Err(TransferError::Evidence { .. })));
        assert!(matches!(own.keep(hash, &["x".repeat(EVIDENCE_BYTES_MAX + 1)]), Err(TransferError::Evidence { .. })));
    }
}
