//! Pattern lists of OpenSSH (ssh_config(5), PATTERNS): `*`, `?`, commas, and `!` for what is ruled out.

/// Whether a pattern of the list fits and none that begins with `!` does.
pub(super) fn matches_list(text: &str, list: &str) -> bool {
    let mut fits = false;
    for pattern in list.split(',').map(str::trim) {
        match pattern.strip_prefix('!') {
            Some(ruled_out) if matches(text.as_bytes(), ruled_out.as_bytes()) => return false,
            Some(_) => {}
            None => fits |= matches(text.as_bytes(), pattern.as_bytes()),
        }
    }
    fits
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
            assert_eq!(matches_list("odeon-image", pattern), fits, "{pattern:?}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        assert!(!matches_list(&"a".repeat(2000), &format!("{}b", "*a".repeat(500))));
    }
}
