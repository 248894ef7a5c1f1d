//! Approval statements that `ssh-keygen` signs.

use super::bench::{Bench, Key, NOW, image};
use odeon_sourceauth::{Approval, Keyring, Rejection, Statement, StatementError};

const DAY: u64 = 86_400;

struct Two {
    bench: Bench,
    keys: [Key; 2],
}

impl Two {
    fn new() -> Self {
        let bench = Bench::new();
        let keys = ["alice", "bob"].map(|who| bench.key(who, &["-t", "ed25519"]));
        Self { bench, keys }
    }

    fn approve(&self, required: usize, evidence: &[String]) -> Result<Approval, Rejection> {
        let [alice, bob] = [&self.keys[0].public, &self.keys[1].public];
        let text = format!("alice {alice}\nbob namespaces=\"odeon-approval,odeon-image\" {bob}\n");
        Keyring::parse(&text, required).unwrap().approve(&image(), evidence, NOW)
    }

    fn signed(&self, by: usize, statement: &str) -> String {
        format!("{statement}{}", self.bench.sign(&self.keys[by], "odeon-approval", statement.as_bytes()))
    }

    /// A statement on the image for these days from now, signed.
    fn statement(&self, by: usize, before: Option<i64>, after: Option<i64>) -> String {
        let at = |days: i64| NOW.checked_add_signed(days * DAY as i64).unwrap();
        let statement = Statement::on(&image()).with_times(before.map(at), after.map(at)).unwrap();
        self.signed(by, &statement.to_string())
    }
}

#[test]
fn a_signed_statement_counts_like_a_signature_over_the_image() {
    let two = Two::new();
    let statement = two.statement(0, None, Some(10));
    let approval = two.approve(1, std::slice::from_ref(&statement)).unwrap();
    assert_eq!((approval.by.as_str(), approval.until_unix_s), ("alice", Some(NOW + 10 * DAY)));
    assert_eq!(approval.endorsements[0].text, statement);
    assert_eq!(approval.endorsements[0].statement.as_ref().unwrap().not_after_unix_s, Some(NOW + 10 * DAY));
    let file = two.bench.sign(&two.keys[1], "odeon-image", image().bytes());
    let both = two.approve(2, &[statement.clone(), file.clone()]).unwrap();
    assert_eq!((both.by.as_str(), both.until_unix_s), ("alice and bob", Some(NOW + 10 * DAY)));
    // One of the two is required, and one counts for ever.
    assert_eq!(two.approve(1, &[statement, file]).unwrap().until_unix_s, None);
}

#[test]
fn an_approval_ends_when_too_few_of_its_statements_count() {
    let two = Two::new();
    let (short, long) = (two.statement(0, None, Some(1)), two.statement(0, None, Some(9)));
    let other = two.statement(1, None, Some(5));
    let until = |required, evidence: &[&String]| {
        let evidence: Vec<_> = evidence.iter().map(|text| (*text).clone()).collect();
        two.approve(required, &evidence).unwrap().until_unix_s.map(|s| (s - NOW) / DAY)
    };
    assert_eq!(until(1, &[&short]), Some(1));
    assert_eq!(until(1, &[&short, &other]), Some(5));
    assert_eq!(until(2, &[&short, &other]), Some(1));
    assert_eq!(until(2, &[&short, &other, &long]), Some(5), "the same signer said two things");
    assert_eq!(until(1, &[&short, &other, &long]), Some(9));
}

#[test]
fn a_statement_counts_within_its_times_only() {
    let two = Two::new();
    assert!(two.approve(1, &[two.statement(0, Some(-1), Some(1))]).is_ok());
    let judge = |before, after| two.approve(1, &[two.statement(0, before, after)]).unwrap_err();
    assert!(matches!(judge(Some(1), None), Rejection::Statement(StatementError::NotYet { .. })));
    assert!(matches!(judge(None, Some(-1)), Rejection::Statement(StatementError::Over { .. })));
}

#[test]
fn a_statement_is_on_one_image_and_stays_as_it_was_signed() {
    let two = Two::new();
    let judge = |text: String| match two.approve(1, &[text]).unwrap_err() {
        Rejection::Statement(why) => why,
        other => panic!("{other}"),
    };
    let statement = Statement::on(&image());
    let mut others = vec![statement.clone(); 3];
    others[0].hash.0[0] ^= 1;
    others[1].name = "other".into();
    others[2].version = "2".parse().unwrap();
    for other in others {
        let why = judge(two.signed(0, &other.to_string()));
        assert!(matches!(why, StatementError::OtherImage { .. }), "{why}");
    }
    let signed = two.signed(0, &statement.to_string());
    let longer = signed.replacen("not-after:\n", "not-after: 2099-01-01T00:00:00Z\n", 1);
    assert_eq!(judge(longer), StatementError::Mismatch);
    assert_eq!(
        judge(signed.replacen("\nversion:", "\nversion: ", 1)),
        StatementError::Line {
            line: 4,
            found: "version: ".into(),
            expected: "version: and the image's version, if any",
        }
    );
    assert_eq!(judge(statement.to_string()), StatementError::Unsigned);
}

#[test]
fn a_signature_over_an_image_is_none_over_a_statement_and_a_line_may_permit_one_of_them() {
    let two = Two::new();
    let statement = Statement::on(&image()).to_string();
    let swapped = format!("{statement}{}", two.bench.sign(&two.keys[0], "odeon-image", statement.as_bytes()));
    let why = two.approve(1, &[swapped]).unwrap_err().to_string();
    assert!(why.contains("\"odeon-image\": expected \"odeon-approval\""), "{why}");
    let bare = two.bench.sign(&two.keys[0], "odeon-approval", image().bytes());
    let why = two.approve(1, &[bare]).unwrap_err().to_string();
    assert!(why.contains("\"odeon-approval\": expected \"odeon-image\""), "{why}");
    let only = |namespaces: &str| {
        let text = format!("alice namespaces=\"{namespaces}\" {}", two.keys[0].public);
        Keyring::parse(&text, 1).unwrap().approve(&image(), &[two.statement(0, None, None)], NOW).is_ok()
    };
    assert!(only("odeon-approval") && only("odeon-approval/hello") && only("odeon-*"));
    assert!(!only("odeon-image") && !only("odeon-approval/other"));
}
