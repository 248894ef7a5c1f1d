//! As much of the guests' `Rogue` as a node can have linked in.

use odeon::{Context, Failure, actor};

/// Counts, fails, and says what it was told.
#[derive(Default)]
pub struct Rogue {
    count: i64,
}

#[actor]
impl Rogue {
    #[handler]
    fn told(&mut self, what: &String, cx: &mut Context) -> Result<(), Failure> {
        match what.as_str() {
            "count" => {
                self.count += 1;
                cx.reply(self.count);
            }
            "fail" => return Err(Failure::new("told to fail")),
            other => cx.reply(format!("told {other}")),
        }
        Ok(())
    }
}
