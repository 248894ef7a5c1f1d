//! The pages of coded errors, as `odeon help OD-NNN` prints them: `docs/errors/`, built into the binary.

macro_rules! pages {
    ($($number:literal),* $(,)?) => {
        /// Every code with its page.
        pub const PAGES: &[(u16, &str)] =
            &[$(($number, include_str!(concat!("../../docs/errors/OD-", $number, ".md")))),*];
    };
}

pages! {
    100, 101, 102, 103, 104, 105, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142, 143, 144, 150, 151, 152, 153, 154, 155, 156, 157, 158, 160, 161, 162, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179, 180, 181, 182, 183, 196, 199
}

/// The page of a code.
pub fn page(code: u16) -> Option<&'static str> {
    PAGES.iter().find(|(c, _)| *c == code).map(|(_, page)| *page)
}

/// Reads a code as people write it: `OD-130`, `od-130` or `130`.
pub fn parse(text: &str) -> Option<u16> {
    let digits = text.get(..3).filter(|p| p.eq_ignore_ascii_case("od-")).map_or(text, |_| &text[3..]);
    (digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use odeon_convention::codes;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let known: BTreeSet<u16> = codes::ALL.iter().map(|(code, _)| *code).collect();
        let built_in: BTreeSet<u16> = PAGES.iter().map(|(code, _)| *code).collect();
        assert_eq!(known, built_in);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("OD-"))
            .collect();
        assert_eq!(files, known.iter().map(|code| format!("{}.md", codes::name(*code))).collect());
    }

    #[test]
    fn a_page_has_its_title_and_its_three_parts() {
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {}: ", codes::name(*code))), "{code}");
            let causes = page.find("\n## Likely causes\n- ").unwrap_or_else(|| panic!("{code} names no cause"));
            let remedy = page.find("\n## What to do\n- ").unwrap_or_else(|| panic!("{code} says not what to do"));
            assert!(causes < remedy, "{code}");
        }
    }

    #[test]
    fn a_code_is_read_in_the_forms_that_people_write() {
        assert_eq!((parse("OD-130"), parse("od-130"), parse("130")), (Some(130), Some(130), Some(130)));
        for text in ["", "OD", "OD-", "OD-13", "OD-1300", "+30", "OD-1x0", "ö130"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
