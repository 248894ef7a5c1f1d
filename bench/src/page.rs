//! Where results go: to standard output, and with `--write` into the page that shows them.

use crate::machine;
use crate::options::Options;
use anyhow::{Context, Result};
use std::path::Path;

/// The page, from the root of the repository.
const PAGE: &str = "docs/benchmarks.md";

/// Prints the tables of a section, and replaces them in the page when that was asked for.
pub fn publish(section: &str, options: &Options, tables: &[String]) -> Result<()> {
    let how = match options.quick {
        true => "A quick run: it shows that everything arrives, its figures mean nothing.".to_owned(),
        false => format!("{} rounds of `scripts/bench {section}` on {}.", options.rounds, machine::line()?),
    };
    let text = format!("{how}\n\n{}", tables.join("\n"));
    println!("{text}");
    if options.write {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the crate lies in the repository")?;
        let path = root.join(PAGE);
        let page = std::fs::read_to_string(&path).with_context(|| format!("read {PAGE}"))?;
        let page = replaced(&page, section, &text).with_context(|| format!("{PAGE} has no section {section}"))?;
        std::fs::write(&path, page).with_context(|| format!("write {PAGE}"))?;
    }
    Ok(())
}

/// The page with the text between a section's marks replaced.
fn replaced(page: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {section}: begin -->\n"), format!("<!-- {section}: end -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_text_between_the_marks_is_replaced() {
        let page = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        assert_eq!(replaced(page, "x", "new\n").unwrap(), "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n");
        assert_eq!(replaced(page, "y", "new\n"), None);
    }
}
