//! How far long work has come, on stderr where that is a terminal and data is not printed as JSON; else nothing.

use super::output::plain;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// Below this much, what is sent is sent before anybody could read it.
const BAR_BYTES_MIN: u64 = 64 * 1024;
/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// One line, which goes when this is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Draws nothing where somebody reads JSON, or where stderr is no terminal.
    pub(super) fn new(is_json: bool) -> Self {
        Self::on(if is_json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() })
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Self(ProgressBar::with_draw_target(Some(0), target))
    }

    /// So many bytes of the request have been sent.
    pub(super) fn sent(&self, bytes: u64, of: u64) {
        if of >= BAR_BYTES_MIN {
            self.bar("sent {bar:32} {binary_bytes} of {binary_total_bytes}", bytes, of);
        }
    }

    /// What the node says: how much of what, or, without a number, what it waits for.
    pub(super) fn told(&self, done: u64, total: u64, what: &str) {
        self.0.set_message(plain(what));
        if total > 0 {
            return self.bar("{bar:32} {pos} of {len} {msg}", done, total);
        }
        self.style("{spinner} {msg}");
        self.0.tick();
        if !self.0.is_hidden() {
            // A thread, which nobody needs where nothing is drawn.
            self.0.enable_steady_tick(TURN);
        }
    }

    fn bar(&self, template: &str, done: u64, total: u64) {
        self.style(template);
        self.0.disable_steady_tick();
        // Both at once, so that neither is drawn beside what the other was.
        self.0.update(|state| {
            state.set_len(total);
            state.set_pos(done);
        });
    }

    fn style(&self, template: &str) {
        // The templates are those above, and a broken one would only look worse.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use parking_lot::Mutex;
    use std::io;
    use std::sync::Arc;

    /// A terminal that keeps what is written to it.
    #[derive(Debug, Default, Clone)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            self.write_str("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bytes_then_who_judges_then_nodes_are_drawn_and_all_of_it_goes() {
        let screen = Screen::default();
        let progress = Progress::on(ProgressDrawTarget::term_like(Box::new(screen.clone())));
        progress.sent(BAR_BYTES_MIN / 2, BAR_BYTES_MIN - 1);
        assert_eq!(*screen.0.lock(), "", "too little to look at");
        progress.sent(512 * 1024, 1024 * 1024);
        let drawn = std::mem::take(&mut *screen.0.lock());
        assert!(drawn.contains("512.00 KiB of 1.00 MiB") && drawn.contains('█'), "{drawn}");
        progress.told(0, 0, "keyring\u{1b}[2J judges");
        let drawn = std::mem::take(&mut *screen.0.lock());
        assert!(drawn.contains("keyring\\u{1b}[2J judges"), "{drawn}");
        progress.told(2, 5, "nodes have it");
        assert!(screen.0.lock().contains("2 of 5 nodes have it"), "{}", screen.0.lock());
        drop(progress);
        assert!(screen.0.lock().ends_with("<clear>"), "{}", screen.0.lock());
    }

    #[test]
    fn nothing_is_drawn_for_those_who_read_json() {
        assert!(Progress::new(true).0.is_hidden());
    }
}
