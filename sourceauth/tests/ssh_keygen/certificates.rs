//! Certificates by the stock `ssh-keygen`: whose key signed, by the word of an authority.

use super::bench::{Bench, Key, NOW, image, keyring, run};
use odeon_sourceauth::{Image, Rejection, SignatureError};
use std::path::{Path, PathBuf};

const VALID: &str = "20200101Z:20300101Z";

impl Bench {
    /// Certifies a key, with more arguments to `ssh-keygen`; returns the certificate's file.
    fn certify(&self, authority: &Key, key: &Key, arguments: &[&str]) -> PathBuf {
        let public = key.path.with_extension("pub");
        let fixed = ["-q", "-s", authority.path.to_str().unwrap(), "-I", "alice's laptop", "-z", "7"];
        run([&fixed, arguments, &[public.to_str().unwrap()]].concat(), &[]);
        PathBuf::from(format!("{}-cert.pub", key.path.display()))
    }

    fn sign_certified(&self, certificate: &Path, image: &Image) -> String {
        run(vec!["-Y", "sign", "-n", "odeon-image", "-f", certificate.to_str().unwrap()], image.bytes())
    }
}

#[test]
fn a_certified_key_signs_as_the_principals_of_its_certificate() {
    let (bench, image) = (Bench::new(), image());
    for kind in [&["-t", "ed25519"][..], &["-t", "ecdsa", "-b", "256"]] {
        let (authority, key) = (bench.key(&format!("ca-{}", kind[1]), kind), bench.key(kind[1], kind));
        let certificate =
            bench.certify(&authority, &key, &["-n", "alice@example.org,alice@elsewhere.example", "-V", VALID]);
        let signature = bench.sign_certified(&certificate, &image);
        let line = format!("*@example.org cert-authority,namespaces=\"odeon-image\" {}", authority.public);
        let (signers, file) = (bench.path("allowed"), bench.path("sig"));
        std::fs::write(&signers, &line).unwrap();
        std::fs::write(&file, &signature).unwrap();
        let (s, f) = (file.to_str().unwrap(), signers.to_str().unwrap());
        run(vec!["-Y", "verify", "-n", "odeon-image", "-I", "alice@example.org", "-s", s, "-f", f], image.bytes());
        let verified = keyring(&line).judge(image.clone(), std::slice::from_ref(&signature), NOW).unwrap();
        assert_eq!(verified.approval().by, "alice@example.org", "and not the principals of the line");
        let reason = &verified.approval().reason;
        assert!(reason.contains(&key.fingerprint()) && reason.contains("certified by the key on line 1"), "{reason}");
        // The signature without a certificate is that of a key that nobody has allowed.
        let plain = bench.sign(&key, "odeon-image", image.bytes());
        let rejection = keyring(&line).judge(image.clone(), std::slice::from_ref(&plain), NOW).unwrap_err();
        assert_eq!(rejection, Rejection::SignerNotAllowed { fingerprint: key.fingerprint() });
        // A line with the authority's key that does not say so allows the authority's own signatures only.
        let own = keyring(&format!("ca {}", authority.public));
        assert!(own.judge(image.clone(), std::slice::from_ref(&signature), NOW).is_err());
        assert!(own.judge(image.clone(), &[bench.sign(&authority, "odeon-image", image.bytes())], NOW).is_ok());
    }
}

#[test]
fn a_certificate_counts_for_its_time_its_kind_and_principals_that_fit_the_line() {
    let (bench, image) = (Bench::new(), image());
    let kind: &[&str] = &["-t", "ed25519"];
    let (authority, stranger, key) = (bench.key("ca", kind), bench.key("stranger", kind), bench.key("key", kind));
    let line = format!("*@example.org,!eve@* cert-authority {}", authority.public);
    let judge = |by: &Key, arguments: &[&str]| {
        let certificate = bench.certify(by, &key, arguments);
        let judged = keyring(&line).judge(image.clone(), &[bench.sign_certified(&certificate, &image)], NOW);
        judged.map(|verified| verified.approval().by.clone())
    };
    let alice = "alice@example.org";
    assert_eq!(judge(&authority, &["-n", alice, "-V", VALID]), Ok(alice.into()));
    for (arguments, word) in [
        (&["-n", alice, "-V", "20200101Z:20210101Z"][..], "counted until 2021-01-01T00:00:00Z"),
        (&["-n", alice, "-V", "20290101Z:20300101Z"], "counts from 2029-01-01T00:00:00Z on"),
        (&["-n", alice, "-V", VALID, "-h"], "is for a host"),
        (&["-n", alice, "-V", VALID, "-O", "force-command=true"], "critical option \"force-command\""),
        (&["-n", "bob@elsewhere.example", "-V", VALID], "none fits"),
        (&["-n", "eve@example.org", "-V", VALID], "none fits"),
        (&["-V", VALID], "none fits"),
    ] {
        match judge(&authority, arguments) {
            Err(Rejection::SignerNotPermitted { line: 1, reason, .. }) => {
                assert!(reason.contains(word) && reason.contains("alice's laptop"), "{arguments:?}: {reason}");
            }
            other => panic!("{arguments:?}: {other:?}"),
        }
    }
    let rejection = judge(&stranger, &["-n", alice, "-V", VALID]).unwrap_err();
    assert_eq!(rejection, Rejection::SignerNotAllowed { fingerprint: key.fingerprint() });
    match judge(&authority, &["-n", alice]) {
        Err(Rejection::SignatureInvalid(SignatureError::Certificate { reason })) => {
            assert!(reason.contains("ssh-keygen -V"), "{reason}");
        }
        other => panic!("a certificate for ever: {other:?}"),
    }
}

#[test]
fn a_certificate_that_names_another_authority_than_made_it_is_refused() {
    let (bench, image) = (Bench::new(), image());
    let kind: &[&str] = &["-t", "ed25519"];
    let (authority, key) = (bench.key("ca", kind), bench.key("key", kind));
    let certificate = bench.certify(&authority, &key, &["-n", "alice@example.org", "-V", VALID]);
    let signature = bench.sign_certified(&certificate, &image);
    let inside: String = signature.lines().filter(|l| !l.starts_with('-')).collect();
    let whole = data_encoding::BASE64.decode(inside.as_bytes()).unwrap();
    // The principal as it stands in the certificate, made another one.
    let at = whole.windows(17).position(|w| w == b"alice@example.org").unwrap();
    let mut forged = whole.clone();
    forged[at..at + 5].copy_from_slice(b"carol");
    let forged = data_encoding::BASE64.encode(&forged);
    let forged = format!("-----BEGIN SSH SIGNATURE-----\n{forged}\n-----END SSH SIGNATURE-----\n");
    let line = format!("*@example.org cert-authority {}", authority.public);
    match keyring(&line).judge(image, std::slice::from_ref(&forged), NOW) {
        Err(Rejection::SignerNotPermitted { reason, .. }) => {
            assert!(reason.contains("was not made by its authority"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}
