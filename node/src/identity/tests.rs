//! Identities on a real folder, and tokens as text.

use super::certificate::{NodeName, node_params};
use super::keys::NodeKey;
use super::*;
use odeon_convention::codes;
use proptest::prelude::*;
use rustls::pki_types::UnixTime;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn open(path: &Path) -> DataFolder {
    DataFolder::open(path).expect("a fresh folder")
}

fn founded(path: &Path) -> Identity {
    Identity::found(open(path)).expect("founding in a fresh folder")
}

#[test]
fn each_start_of_a_node_has_the_same_id_and_a_higher_incarnation() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = founded(dir.path());
    let (node, digest) = (first.node(), first.ca_digest());
    assert_eq!((first.role(), first.can_admit(), node.incarnation.0), (Role::Leader, true, 1));
    drop(first);
    let second = Identity::load(open(dir.path())).expect("a second start");
    assert_eq!((second.node().id, second.node().incarnation.0, second.ca_digest()), (node.id, 2, digest));
}

#[test]
fn a_folder_in_use_is_refused_and_names_the_process() {
    let dir = tempfile::tempdir().expect("a folder");
    let _first = open(dir.path());
    let error = DataFolder::open(dir.path()).expect_err("the folder is in use");
    assert_eq!(error.code(), codes::DATA_IN_USE);
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
}

#[test]
fn a_folder_that_belongs_to_a_convention_founds_no_other() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(founded(dir.path()));
    assert_eq!(Identity::found(open(dir.path())).expect_err("it is taken").code(), codes::ALREADY_JOINED);
}

#[test]
fn keys_are_private_and_a_key_that_others_may_read_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(founded(dir.path()));
    for key in ["node.key", "ca.key"] {
        let path = dir.path().join("identity").join(key);
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        assert_eq!(fs::metadata(&path).expect("the key").permissions().mode() & 0o777, 0o600);
        mode(0o640);
        let error = Identity::load(open(dir.path())).expect_err("the key is open to the group");
        assert!(matches!(&error, IdentityError::TooOpen { mode: 0o640, .. }), "{error}");
        assert_eq!(error.code(), codes::DATA_UNUSABLE);
        mode(0o600);
    }
    Identity::load(open(dir.path())).expect("as it was");
}

#[test]
fn a_key_of_another_user_is_refused() {
    let error = private_file::check_owner(Path::new("node.key"), 1001, 1000, 0o600).expect_err("a foreign owner");
    assert_eq!(error.to_string(), "node.key belongs to user 1001, but this process runs as user 1000");
    private_file::check_owner(Path::new("node.key"), 1000, 1000, 0o400).expect("its owner, and nobody else");
}

#[test]
fn a_corrupt_file_is_named_and_does_not_count_as_a_start() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(founded(dir.path()));
    for file in ["node.key", "node.pem", "ca.pem", "ca.key", "incarnation"] {
        let path = dir.path().join("identity").join(file);
        let content = fs::read(&path).expect("a file of the identity");
        fs::write(&path, &content[..content.len() / 2]).expect("cut it");
        let error = Identity::load(open(dir.path())).expect_err(file);
        assert!(matches!(&error, IdentityError::Corrupt { path: p, .. } if *p == path), "{file}: {error}");
        fs::write(&path, content).expect("mend it");
    }
    assert_eq!(Identity::load(open(dir.path())).expect("mended").node().incarnation.0, 2);
}

#[test]
fn a_key_and_a_certificate_of_two_nodes_do_not_make_an_identity() {
    let (a, b) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    drop((founded(a.path()), founded(b.path())));
    fs::copy(b.path().join("identity/node.key"), a.path().join("identity/node.key")).expect("copy");
    assert_eq!(Identity::load(open(a.path())).expect_err("another key").code(), codes::DATA_UNUSABLE);
}

#[test]
fn a_certificate_cannot_say_another_node_s_id() {
    let ca = Ca::create().expect("a CA");
    let trust = Trust::new(ca.certificate().clone()).expect("its certificate");
    let (mine, other) = (NodeKey::create().expect("a key"), NodeKey::create().expect("a key"));
    let stolen = NodeName { id: other.node_id(), role: Role::Member };
    assert!(ca.issue(mine.spki(), &stolen).is_err());
    // Even if a CA signed one, no peer would take it.
    let mut params = node_params(mine.spki(), &NodeName { id: mine.node_id(), role: Role::Member }).expect("params");
    params.subject_alt_names = vec![rcgen::SanType::DnsName(stolen.to_string().try_into().expect("a name"))];
    let issuer_key = rcgen::KeyPair::from_pem(&ca.key_pem()).expect("the CA's key");
    let issuer = rcgen::Issuer::from_ca_cert_der(ca.certificate(), issuer_key).expect("an issuer");
    let forged = params.signed_by(mine.spki(), &issuer).expect("a certificate");
    assert!(trust.node_of(forged.der(), UnixTime::now()).is_err());
}

#[test]
fn only_the_own_ca_is_trusted_and_an_hour_of_clock_difference_is_nothing() {
    let (ca, other) = (Ca::create().expect("a CA"), Ca::create().expect("a CA"));
    let trust = Trust::new(ca.certificate().clone()).expect("its certificate");
    let key = NodeKey::create().expect("a key");
    let name = NodeName { id: key.node_id(), role: Role::Member };
    let now = UnixTime::now().as_secs();
    let at = |s: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(s));
    let own = ca.issue(key.spki(), &name).expect("a certificate");
    assert_eq!(trust.node_of(&own, at(now - 3600)), Ok(name));
    assert_eq!(trust.node_of(&own, at(now + 9 * 365 * 86_400)), Ok(name));
    assert!(trust.node_of(&own, at(now + 11 * 365 * 86_400)).is_err());
    assert!(trust.node_of(&other.issue(key.spki(), &name).expect("a certificate"), at(now)).is_err());
}

fn token() -> Token {
    Token::create(vec!["leader.example:5340".into(), "[::1]:5340".into()], [7; 32]).expect("a token")
}

#[test]
fn a_token_survives_its_text_form_and_keeps_its_secret_to_itself() {
    let token = token();
    let text = token.to_string();
    assert!(text.starts_with("odeon1.") && !text.contains(char::is_whitespace), "{text}");
    assert_eq!(format!(" {text}\n").parse::<Token>(), Ok(token.clone()));
    assert_eq!(format!("{token:?}"), r#"Token { addresses: ["leader.example:5340", "[::1]:5340"], .. }"#);
}

#[test]
fn a_text_that_is_not_a_token_says_what_is_wrong() {
    let text = token().to_string();
    assert_eq!("".parse::<Token>(), Err(TokenError::Empty));
    assert!(matches!("hello".parse::<Token>(), Err(TokenError::Prefix { .. })));
    assert!(matches!("odeon1.a b".parse::<Token>(), Err(TokenError::Encoding(_))));
    assert!(matches!(text[..text.len() - 4].parse::<Token>(), Err(TokenError::Checksum)));
    assert!(matches!("x".repeat(9000).parse::<Token>(), Err(TokenError::TooLong { .. })));
    let none = Token { addresses: vec![], ..token() }.to_string();
    assert_eq!(none.parse::<Token>(), Err(TokenError::Content("it names no address")));
    assert_eq!(TokenError::Empty.code(), codes::TOKEN_MALFORMED);
}

proptest! {
    #[test]
    fn no_text_makes_the_token_reader_panic(text in "(odeon1\\.)?[A-Za-z0-9_-]{0,200}") {
        let _ = text.parse::<Token>();
    }

    #[test]
    fn one_wrong_character_is_noticed(at in 7_usize..150, with in "[A-Za-z0-9_-]") {
        let text = token().to_string();
        let at = at.min(text.len() - 1);
        let mut wrong = text.clone();
        wrong.replace_range(at..=at, &with);
        prop_assume!(wrong != text);
        prop_assert!(wrong.parse::<Token>().is_err());
    }
}
