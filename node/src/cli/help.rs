//! `odeon help`: the page of a coded error, or the help of a command.

use super::{CommandError, Output};
use crate::codes;
use clap::Command;

/// Prints the page or help that `topic` names; without one the help of the whole.
pub(crate) fn help(out: &mut Output<'_>, mut root: Command, topic: &[String]) -> Result<(), CommandError> {
    if let [code] = topic
        && let Some(code) = codes::parse(code)
    {
        let name = odeon_convention::codes::name(code);
        let page = codes::page(code).ok_or_else(|| CommandError::Usage(format!("there is no error {name}")))?;
        return out.value(&serde_json::json!({ "code": name, "page": page }), |_| page.trim_end().to_owned());
    }
    root.build();
    let mut command = &mut root;
    for name in topic {
        command = command
            .find_subcommand_mut(name)
            .ok_or_else(|| CommandError::Usage(format!("'{}' is neither a command nor OD-NNN", topic.join(" "))))?;
    }
    let text = command.render_long_help().to_string();
    out.value(&serde_json::json!({ "help": text }), |_| text.trim_end().to_owned())
}
