//! The documents say what the command does: every command and flag, and no other.

use odeon_node::{cli, codes};
use std::collections::{BTreeMap, BTreeSet};

const REFERENCE: &str = include_str!("../../../docs/cli.md");

/// Every command that does something, listed or not yet, with the names of its flags.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    fn walk(command: &clap::Command, path: &str, into: &mut BTreeMap<String, BTreeSet<String>>) {
        if command.get_subcommands().next().is_some() {
            for inner in command.get_subcommands() {
                walk(inner, &format!("{path} {}", inner.get_name()), into);
            }
            return;
        }
        let flags = command
            .get_arguments()
            .filter(|a| !a.is_positional() && !a.is_global_set())
            .filter_map(|a| a.get_long())
            .filter(|name| *name != "help")
            .map(|name| format!("--{name}"));
        into.insert(path.to_owned(), flags.collect());
    }
    let mut all = BTreeMap::new();
    walk(&cli::command(), "odeon", &mut all);
    all
}

#[test]
fn the_reference_names_every_command_and_flag_and_no_other() {
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = None;
    for line in REFERENCE.lines() {
        if let Some(heading) = line.strip_prefix("### `") {
            let name: Vec<&str> = heading
                .trim_end_matches('`')
                .split(' ')
                .take_while(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'))
                .collect();
            current = Some(name.join(" "));
            described.entry(name.join(" ")).or_default();
        } else if line.starts_with('#') {
            current = None;
        } else if let (Some(flag), Some(command)) = (line.strip_prefix("| `--"), &current) {
            let name: String = flag.chars().take_while(|c| *c != '`' && *c != ' ').collect();
            described.entry(command.clone()).or_default().insert(format!("--{name}"));
        }
    }
    assert_eq!(described, commands());
}

#[test]
fn the_reference_names_every_flag_that_all_commands_take_and_no_other() {
    let before_commands = REFERENCE.split("\n### ").next().unwrap();
    let described: BTreeSet<String> = before_commands
        .lines()
        .filter_map(|line| line.strip_prefix("| `--"))
        .map(|flag| flag.chars().take_while(|c| *c != '`' && *c != ' ').collect())
        .collect();
    let all = cli::command();
    let global = all.get_arguments().filter(|a| a.is_global_set()).filter_map(|a| a.get_long());
    assert_eq!(described, global.chain(["help"]).map(str::to_owned).collect());
}

#[test]
fn the_reference_has_the_exit_codes_of_every_coded_error() {
    for (code, exit) in odeon_convention::codes::ALL {
        let name = odeon_convention::codes::name(*code);
        let row = REFERENCE.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap_or_else(|| {
            panic!("{name} is not in the reference");
        });
        assert!(row.trim_end().ends_with(&format!("| {exit} |")), "{row}");
    }
}

#[test]
fn the_pages_name_only_commands_and_flags_that_exist() {
    let commands = commands();
    let mut named = 0;
    for (code, page) in codes::PAGES {
        for quoted in page.split('`').skip(1).step_by(2) {
            let Some(line) = quoted.strip_prefix("odeon ") else { continue };
            if line == "--version" {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let path = (1..=words.len().min(2))
                .map(|n| format!("odeon {}", words[..n].join(" ")))
                .find(|path| commands.contains_key(path))
                .unwrap_or_else(|| panic!("OD-{code} names `{quoted}`, which is no command"));
            for flag in words.iter().filter(|w| w.starts_with("--") && **w != "--data") {
                assert!(commands[&path].contains(*flag), "OD-{code} names {flag}, which {path} does not have");
            }
            named += 1;
        }
    }
    assert!(named > 40, "only {named} commands were found in the pages");
}
