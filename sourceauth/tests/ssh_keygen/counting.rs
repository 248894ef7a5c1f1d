//! How many have to sign, and who is one signer.

use super::bench::{Bench, Key, NOW, image};
use odeon_sourceauth::limits::SIGNATURES_MAX;
use odeon_sourceauth::{Keyring, KeyringError, Rejection};

const ED25519: &[&str] = &["-t", "ed25519"];

struct Keys {
    bench: Bench,
    keys: Vec<Key>,
}

impl Keys {
    fn new(count: usize) -> Self {
        let bench = Bench::new();
        let keys = (0..count).map(|n| bench.key(&format!("key-{n}"), ED25519)).collect();
        Self { bench, keys }
    }

    /// A keyring of these principals, each with the next key.
    fn keyring(&self, principals: &[&str], required: usize) -> Result<Keyring, KeyringError> {
        let lines = principals.iter().zip(&self.keys).map(|(who, key)| format!("{who} {}\n", key.public));
        Keyring::parse(&lines.collect::<String>(), required)
    }

    fn signatures(&self, by: &[usize]) -> Vec<String> {
        by.iter().map(|n| self.bench.sign(&self.keys[*n], "odeon-image", image().bytes())).collect()
    }
}

/// How many counted of how many, and why not the others.
fn too_few(rejection: Rejection) -> (usize, usize, Vec<String>) {
    match rejection {
        Rejection::TooFew { counted, required, reasons } => (counted, required, reasons),
        other => panic!("{other}"),
    }
}

#[test]
fn so_many_different_signers_as_are_required_approve_an_image() {
    let keys = Keys::new(3);
    let keyring = keys.keyring(&["alice", "bob", "carol"], 2).unwrap();
    let approval = keyring.approve(&image(), &keys.signatures(&[2, 0]), NOW).unwrap();
    assert_eq!(approval.by, "carol and alice");
    assert_eq!(approval.endorsements.len(), 2);
    assert_eq!(approval.endorsements[0].fingerprint, keys.keys[2].fingerprint());
    let all = keyring.approve(&image(), &keys.signatures(&[0, 1, 2]), NOW).unwrap();
    assert_eq!(all.endorsements.len(), 3, "more than needed are kept as well");
    let rejection = keyring.approve(&image(), &keys.signatures(&[1]), NOW).unwrap_err();
    assert_eq!(rejection.to_string(), "1 of 2 required signers have signed");
    assert_eq!(keyring.approve(&image(), &[], NOW), Err(Rejection::SignatureMissing));
}

#[test]
fn what_does_not_count_is_named_and_does_no_harm() {
    let keys = Keys::new(3);
    let keyring = keys.keyring(&["alice", "bob"], 2).unwrap();
    let mut evidence = keys.signatures(&[0, 2]);
    evidence.push("garbage".into());
    evidence.push(keys.bench.sign(&keys.keys[1], "odeon-image", b"another image"));
    let (counted, required, reasons) = too_few(keyring.approve(&image(), &evidence, NOW).unwrap_err());
    assert_eq!((counted, required, reasons.len()), (1, 2, 3));
    assert!(reasons[0].starts_with("signature 2: ") && reasons[0].contains("not among the allowed"), "{reasons:?}");
    assert!(reasons[1].starts_with("signature 3: not an OpenSSH signature"), "{reasons:?}");
    assert!(reasons[2].starts_with("signature 4: signature does not fit the image"), "{reasons:?}");
    evidence.extend(keys.signatures(&[1]));
    assert_eq!(keyring.approve(&image(), &evidence, NOW).unwrap().by, "alice and bob");
}

#[test]
fn one_key_counts_once_and_so_do_several_keys_of_one_person() {
    let keys = Keys::new(4);
    for (principals, signed_by) in [
        (&["alice", "bob"][..], &[0, 0][..]),
        (&["alice", "alice", "bob"], &[0, 1]),
        (&["alice,release", "release", "bob"], &[0, 1]),
        (&["alice@example.org", "*@example.org", "bob"], &[0, 1]),
        (&["alice,bob", "bob,carol", "dave"], &[0, 1]),
    ] {
        let keyring = keys.keyring(principals, 2).unwrap();
        let rejection = keyring.approve(&image(), &keys.signatures(signed_by), NOW).unwrap_err();
        let (counted, required, reasons) = too_few(rejection);
        assert_eq!((counted, required), (1, 2), "{principals:?}");
        assert!(reasons.iter().all(|reason| reason.contains("the same signer as signature")), "{reasons:?}");
        assert!(!reasons.is_empty());
        let last = principals.len() - 1;
        let both = keys.signatures(&[signed_by[0], last]);
        assert!(keyring.approve(&image(), &both, NOW).is_ok(), "{principals:?} with bob");
    }
}

#[test]
fn one_more_signature_never_makes_fewer_of_those_that_are_there() {
    let keys = Keys::new(3);
    // The third may be either of the two others, who are different all the same.
    let keyring = keys.keyring(&["alice", "bob", "alice,bob"], 2).unwrap();
    for signed_by in [&[0, 1][..], &[0, 1, 2], &[2, 0, 1], &[0, 2, 1]] {
        assert!(keyring.approve(&image(), &keys.signatures(signed_by), NOW).is_ok(), "{signed_by:?}");
    }
    for signed_by in [&[0, 2][..], &[2, 1], &[2, 2]] {
        let (counted, ..) = too_few(keyring.approve(&image(), &keys.signatures(signed_by), NOW).unwrap_err());
        assert_eq!(counted, 1, "{signed_by:?}");
    }
    assert_eq!(keys.keyring(&["alice", "bob", "alice,bob"], 3), Err(KeyringError::TooFew { required: 3, found: 2 }));
}

#[test]
fn a_key_on_two_lines_is_whoever_both_name() {
    let keys = Keys::new(2);
    let [first, second] = [&keys.keys[0].public, &keys.keys[1].public];
    let text = format!("alice {first}\nrelease {first}\nrelease {second}\nbob cert-authority {second}\n");
    let keyring = Keyring::parse(&text, 2).unwrap();
    let (counted, ..) = too_few(keyring.approve(&image(), &keys.signatures(&[0, 1]), NOW).unwrap_err());
    assert_eq!(counted, 1);
}

#[test]
fn certified_keys_count_by_the_principals_of_their_certificates() {
    let keys = Keys::new(4);
    let authority = &keys.keys[0];
    let sign = |key: usize, principal: &str| {
        let path = keys.keys[key].path.to_str().unwrap();
        let arguments = ["-q", "-s", authority.path.to_str().unwrap(), "-I", "x", "-n", principal];
        let public = format!("{path}.pub");
        super::bench::run([&arguments[..], &["-V", "20200101Z:20300101Z", &public]].concat(), &[]);
        let certificate = format!("{path}-cert.pub");
        super::bench::run(vec!["-Y", "sign", "-n", "odeon-image", "-f", &certificate], image().bytes())
    };
    let text = format!("*@example.org cert-authority {}", authority.public);
    let keyring = Keyring::parse(&text, 2).unwrap();
    let [alice, again, bob] = [sign(1, "alice@example.org"), sign(2, "alice@example.org"), sign(3, "bob@example.org")];
    let (counted, ..) = too_few(keyring.approve(&image(), &[alice.clone(), again], NOW).unwrap_err());
    assert_eq!(counted, 1, "two certified keys of one person");
    assert_eq!(keyring.approve(&image(), &[alice, bob], NOW).unwrap().by, "alice@example.org and bob@example.org");
}

#[test]
fn a_keyring_that_could_approve_nothing_is_refused() {
    let keys = Keys::new(3);
    for required in [0, SIGNATURES_MAX + 1] {
        assert_eq!(keys.keyring(&["alice"], required), Err(KeyringError::Required { found: required }));
    }
    let two = keys.keyring(&["alice", "bob", "bob"], 3).unwrap_err();
    assert_eq!(two, KeyringError::TooFew { required: 3, found: 2 });
    assert!(keys.keyring(&["alice", "bob", "carol"], 3).is_ok());
}

#[test]
fn no_more_signatures_are_looked_at_than_the_limit() {
    let keys = Keys::new(1);
    let keyring = keys.keyring(&["alice"], 1).unwrap();
    let signature = keys.signatures(&[0]).remove(0);
    assert!(keyring.approve(&image(), &vec![signature.clone(); SIGNATURES_MAX], NOW).is_ok());
    let rejection = keyring.approve(&image(), &vec![signature; SIGNATURES_MAX + 1], NOW).unwrap_err();
    assert_eq!(rejection, Rejection::TooMany { found: SIGNATURES_MAX + 1 });
}
