//! What a command prints: data on one stream, everything else on the other, text and JSON from the same value.

use super::CommandError;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{self, Write};

/// The two streams of a command.
pub(crate) struct Output<'a> {
    data: &'a mut dyn Write,
    notes: &'a mut dyn Write,
    json: bool,
}

impl<'a> Output<'a> {
    /// Data goes to `data`, as JSON if so asked; all else goes to `notes`.
    pub(crate) fn new(data: &'a mut dyn Write, notes: &'a mut dyn Write, json: bool) -> Self {
        Self { data, notes, json }
    }

    /// The same streams, with data as JSON if that is asked here or was before.
    pub(crate) fn or_json(&mut self, json: bool) -> Output<'_> {
        Output { data: &mut *self.data, notes: &mut *self.notes, json: self.json || json }
    }

    /// The same with its data going elsewhere.
    pub(crate) fn with_data<'b>(&'b mut self, data: &'b mut dyn Write) -> Output<'b> {
        Output { data, notes: &mut *self.notes, json: self.json }
    }

    /// Whether data is printed as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a value: as one line of JSON, or as `text` makes it.
    pub(crate) fn value<T: Serialize>(
        &mut self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), CommandError> {
        let line = if self.json { json(value)? } else { text(value) };
        self.line(&line)
    }

    /// Prints many values: as one JSON list, or as a table with a row for each.
    pub(crate) fn rows<T: Serialize, const N: usize>(
        &mut self,
        values: &[T],
        header: [&str; N],
        row: impl Fn(&T) -> [String; N],
    ) -> Result<(), CommandError> {
        if self.json { self.line(&json(&values)?) } else { self.line(&table(header, values.iter().map(row))) }
    }

    /// Prints that something was done: nothing for people, who see no error, and a value for scripts.
    pub(crate) fn done(&mut self) -> Result<(), CommandError> {
        if self.json { self.line("{\"done\":true}") } else { Ok(()) }
    }

    /// Prints a line of data as it is.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), CommandError> {
        writeln!(self.data, "{line}").and_then(|()| self.data.flush()).map_err(CommandError::from_output)
    }

    /// Tells the user something that is not data. A stream that takes it no more is no reason to fail.
    pub(crate) fn note(&mut self, line: &str) {
        let _: io::Result<()> = writeln!(self.notes, "{line}");
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, CommandError> {
    serde_json::to_string(value).map_err(|e| CommandError::internal(format!("the answer cannot be JSON: {e}")))
}

/// Columns without lines, as wide as they need to be: so that they can be cut and searched.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Text from elsewhere with its control characters made visible: it cannot move the cursor of a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A value as a person reads it: text as it is, the rest as JSON.
pub(crate) fn value_text(value: &odeon::Value) -> String {
    match value {
        odeon::Value::String(text) => text.clone(),
        value => serde_json::to_string(value).unwrap_or_else(|e| format!("(not JSON: {e})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_header_and_no_lines_and_no_escapes() {
        let rows = [["a".to_owned(), "1\u{1b}[2J".to_owned()], ["longer".to_owned(), "2".to_owned()]];
        let text = table(["NAME", "N"], rows.into_iter());
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines, ["NAME    N", "a       1\\u{1b}[2J", "longer  2"]);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut notes = Vec::new();
        let mut closed = Closed;
        let error = Output::new(&mut closed, &mut notes, false).line("x").unwrap_err();
        assert!(matches!(error, CommandError::ReaderGone));
        assert_eq!((error.exit_code(), notes.len()), (0, 0));
    }
}
