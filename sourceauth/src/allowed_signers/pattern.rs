//! Pattern lists of OpenSSH (ssh_config(5), PATTERNS): `*`, `?`, commas, and `!` for what is ruled out.

/// What a list says of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// A pattern fits.
    Fits,
    /// One that begins with `!` fits, whatever the others do.
    RuledOut,
    /// None fits.
    Not,
}

/// What a list of patterns says of a text.
pub(super) fn fit(text: &str, list: &str) -> Fit {
    let mut found = Fit::Not;
    for pattern in list.split(',').map(str::trim) {
        match pattern.strip_prefix('!') {
            Some(ruled_out) if matches(text.as_bytes(), ruled_out.as_bytes()) => return Fit::RuledOut,
            None if matches(text.as_bytes(), pattern.as_bytes()) => found = Fit::Fits,
            Some(_) | None => {}
        }
    }
    found
}

/// Whether two lists of principals may be of one person: a name of one is, or fits, one of the other.
pub(crate) fn may_be_one(one: &str, other: &str) -> bool {
    fn names(list: &str) -> impl Iterator<Item = &[u8]> {
        list.split(',').map(str::trim).filter(|name| !name.is_empty() && !name.starts_with('!')).map(str::as_bytes)
    }
    names(one).any(|a| names(other).any(|b| matches(a, b) || matches(b, a)))
}

/// Goes back to the last star only, so the time is at most the product of both lengths.
fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => {
                let Some((after_star, from)) = star else { return false };
                star = Some((after_star, from + 1));
                t = from + 1;
                p = after_star;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_fit_as_in_ssh_config() {
        for (pattern, fits) in [
            ("odeon-image", true),
            ("*", true),
            ("odeon-*", true),
            ("*image", true),
            ("o*-*e", true),
            ("odeon?image", true),
            ("odeon-imag", false),
            ("odeon-image?", false),
            ("", false),
            ("*x*", false),
            ("file,odeon-image", true),
            ("file, odeon-image", true),
            ("*,!odeon-*", false),
            ("!file", false),
        ] {
            assert_eq!(fit("odeon-image", pattern) == Fit::Fits, fits, "{pattern:?}");
        }
    }

    #[test]
    fn who_has_a_principal_in_common_may_be_one() {
        for (one, other, may_be) in [
            ("alice", "alice", true),
            ("alice", "bob", false),
            ("alice,release", "bob, release", true),
            ("alice@example.org", "*@example.org", true),
            ("*@example.org", "alice@example.org,bob", true),
            ("alice@example.org", "*@example.com", false),
            ("!alice", "alice", false),
            ("", "", false),
        ] {
            assert_eq!(may_be_one(one, other), may_be, "{one} {other}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        assert_eq!(fit(&"a".repeat(2000), &format!("{}b", "*a".repeat(500))), Fit::Not);
    }
}
