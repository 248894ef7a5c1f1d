//! Signatures by the stock `ssh-keygen`, and what every authority says of them.
#![allow(clippy::unwrap_used)] // a step that fails is the failure of the test

mod bench;
mod certificates;
mod counting;
mod hardware;
mod statements;

use bench::{Bench, NOW, image, keyring, run};
use odeon_sourceauth::{
    AllowedSigners, Approval, ApprovedError, Authority, Endorsement, ImageError, Keyring, Rejection, SignatureError,
    Verified, hash,
};
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn an_image_signed_by_ssh_keygen_with_an_allowed_key_is_approved() {
    let bench = Bench::new();
    let image = image();
    for kind in [&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "256"]] {
        let key = bench.key(kind[1], kind);
        let signature = bench.sign(&key, "odeon-image", image.bytes());
        let authority = keyring(&format!("# ours\nalice@example.org namespaces=\"odeon-image\" {}", key.public));
        let verified = authority.judge(image.clone(), std::slice::from_ref(&signature), NOW).unwrap();
        assert_eq!(verified.image(), &image);
        let reason = format!("signed by {}, allowed on line 2 of the allowed signers", key.fingerprint());
        let (by, fingerprint) = ("alice@example.org".to_owned(), key.fingerprint());
        let text = signature.clone();
        let endorsement = Endorsement { by: by.clone(), fingerprint, reason: reason.clone(), statement: None, text };
        let expected = Approval { by, reason, endorsements: vec![endorsement], until_unix_s: None };
        assert_eq!(verified.approval(), &expected);
    }
}

#[test]
fn a_signature_for_other_bytes_or_another_purpose_is_invalid() {
    let bench = Bench::new();
    let image = image();
    let key = bench.key("key", &["-t", "ed25519"]);
    let authority = keyring(&format!("alice {}", key.public));
    let judge = |signature: &str| authority.judge(image.clone(), &[signature.to_owned()], NOW).unwrap_err();

    let mut tampered = image.bytes().to_vec();
    tampered[40] ^= 1;
    let signature = bench.sign(&key, "odeon-image", &tampered);
    assert_eq!(judge(&signature), Rejection::SignatureInvalid(SignatureError::Mismatch));

    let signature = bench.sign(&key, "file", image.bytes());
    assert_eq!(
        judge(&signature),
        Rejection::SignatureInvalid(SignatureError::Namespace { found: "file".into(), expected: "odeon-image" })
    );

    for garbage in ["", "garbage", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"] {
        let rejection = judge(garbage);
        assert!(
            matches!(rejection, Rejection::SignatureInvalid(SignatureError::Malformed { .. })),
            "{garbage:?}: {rejection}"
        );
    }
    let huge = "x".repeat(20_000);
    assert_eq!(judge(&huge), Rejection::SignatureInvalid(SignatureError::TooLarge { bytes: 20_000 }));
}

#[test]
fn a_signature_by_a_stranger_names_the_strangers_key() {
    let bench = Bench::new();
    let image = image();
    let (key, stranger) = (bench.key("key", &["-t", "ed25519"]), bench.key("stranger", &["-t", "ed25519"]));
    let signature = bench.sign(&stranger, "odeon-image", image.bytes());
    let rejection =
        keyring(&format!("alice {}", key.public)).judge(image, std::slice::from_ref(&signature), NOW).unwrap_err();
    assert_eq!(rejection, Rejection::SignerNotAllowed { fingerprint: stranger.fingerprint() });
}

#[test]
fn a_key_counts_only_while_it_is_valid_and_for_its_namespaces() {
    let bench = Bench::new();
    let image = image();
    let key = bench.key("key", &["-t", "ed25519"]);
    let signature = bench.sign(&key, "odeon-image", image.bytes());
    for (options, word) in [
        ("valid-before=\"20200101Z\"", "valid-before"),
        ("valid-after=\"20900101Z\"", "valid-after"),
        ("namespaces=\"git\"", "namespaces"),
    ] {
        let line = format!("alice {options} {}", key.public);
        match keyring(&line).judge(image.clone(), std::slice::from_ref(&signature), NOW) {
            Err(Rejection::SignerNotPermitted { fingerprint, line: 1, reason }) => {
                assert_eq!(fingerprint, key.fingerprint());
                assert!(reason.contains(word), "{reason}");
            }
            other => panic!("{other:?}"),
        }
        // Another line may permit it.
        let both = format!("{line}\nalice valid-after=\"20200101\" {}", key.public);
        assert!(keyring(&both).judge(image.clone(), std::slice::from_ref(&signature), NOW).is_ok());
    }
}

#[test]
fn a_key_may_be_allowed_for_images_of_some_names_only() {
    let bench = Bench::new();
    let image = image();
    let key = bench.key("key", &["-t", "ed25519"]);
    let signature = bench.sign(&key, "odeon-image", image.bytes());
    let signed = bench.path("sig");
    std::fs::write(&signed, bench.sign(&key, "odeon-image/hello", b"")).unwrap();
    let judge = |namespaces: &str| {
        let text = format!("alice namespaces=\"{namespaces}\" {}", key.public);
        // To ssh-keygen the file is as good as before: there the pattern is one of namespaces.
        let signers = bench.path("allowed");
        std::fs::write(&signers, &text).unwrap();
        let mut read = Command::new("ssh-keygen");
        read.args(["-Y", "verify", "-n", "odeon-image/hello", "-I", "alice", "-s"])
            .arg(&signed)
            .arg("-f")
            .arg(&signers);
        let allowed_there = read.stdin(Stdio::null()).output().unwrap().status.success();
        (allowed_there, keyring(&text).judge(image.clone(), std::slice::from_ref(&signature), NOW))
    };
    for namespaces in ["odeon-image/hello", "git,odeon-image/hel*"] {
        assert!(matches!(judge(namespaces), (true, Ok(_))), "{namespaces}");
    }
    match judge("odeon-image/db-*") {
        (false, Err(Rejection::SignerNotPermitted { line: 1, reason, .. })) => {
            assert!(reason.contains("odeon-image/db-*") && reason.contains("odeon-image/hello"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signature_by_an_rsa_key_names_the_algorithm() {
    let bench = Bench::new();
    let image = image();
    let (rsa, key) = (bench.key("rsa", &["-t", "rsa", "-b", "2048"]), bench.key("key", &["-t", "ed25519"]));
    let signature = bench.sign(&rsa, "odeon-image", image.bytes());
    let rejection =
        keyring(&format!("alice {}", key.public)).judge(image, std::slice::from_ref(&signature), NOW).unwrap_err();
    assert_eq!(
        rejection.to_string(),
        "signature by a key of the algorithm ssh-rsa: expected ssh-ed25519, ecdsa-sha2-nistp256, \
         sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com"
    );
    assert!(AllowedSigners::parse(&format!("alice {}", rsa.public)).unwrap_err().to_string().contains("ssh-rsa"));
}

#[test]
fn without_an_authority_nothing_is_approved_and_the_reason_says_what_to_do() {
    let rejection = Authority::default().judge(image(), &[], NOW).unwrap_err();
    assert_eq!(rejection, Rejection::NoAuthority);
    assert!(rejection.to_string().contains("odeon authority set keyring --allowed-signers FILE"));
}

#[test]
fn accept_all_approves_and_a_keyring_wants_a_signature() {
    let bench = Bench::new();
    let verified = Authority::AcceptAll.judge(image(), &[], NOW).unwrap();
    assert_eq!(verified.approval().by, "accept-all");
    let key = bench.key("key", &["-t", "ed25519"]);
    let rejection = keyring(&format!("alice {}", key.public)).judge(image(), &[], NOW).unwrap_err();
    assert_eq!(rejection, Rejection::SignatureMissing);
}

#[test]
fn the_allowed_signers_file_that_ssh_keygen_accepts_is_accepted_here() {
    let bench = Bench::new();
    let image = image();
    let key = bench.key("key", &["-t", "ed25519"]);
    let signature = bench.sign(&key, "odeon-image", image.bytes());
    let text = format!(
        "# people\n\nbob,*@example.org namespaces=\"git,odeon-*\",valid-after=\"20200101\",valid-before=\"20900101Z\" {}\n",
        key.public
    );
    let (signers, signature_file) = (bench.path("allowed"), bench.path("sig"));
    std::fs::write(&signers, &text).unwrap();
    std::fs::write(&signature_file, &signature).unwrap();
    let arguments = |file: &Path| file.to_str().unwrap().to_owned();
    let (s, f) = (arguments(&signature_file), arguments(&signers));
    run(vec!["-Y", "verify", "-n", "odeon-image", "-I", "al@example.org", "-s", &s, "-f", &f], image.bytes());
    let keyring = Keyring::parse(&text, 1).unwrap();
    assert_eq!(keyring.approve(&image, &[signature], NOW).unwrap().by, "bob,*@example.org");
}

#[test]
fn bytes_become_verified_again_only_with_the_approved_hash() {
    let image = image();
    let verified = Verified::from_approved(image.bytes().clone(), image.hash()).unwrap();
    assert_eq!(verified.hash(), image.hash());
    for at in [0, 40, image.bytes().len() - 1] {
        let mut flipped = image.bytes().to_vec();
        flipped[at] ^= 1;
        let found = hash(&flipped);
        assert_eq!(
            Verified::from_approved(flipped, image.hash()),
            Err(ApprovedError::HashMismatch { expected: image.hash(), found })
        );
    }
    let garbage = b"approved by mistake, yet no image".to_vec();
    let hash = hash(&garbage);
    assert_eq!(
        Verified::from_approved(garbage, hash),
        Err(ApprovedError::Malformed { hash, source: ImageError::NoEndRecord })
    );
}
