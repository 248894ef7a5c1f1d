//! One command's talk with its node: send the request, show progress, hand out the last reply.

use super::progress::Progress;
use super::{CommandError, Output};
use crate::admin::client::Route;
use crate::admin::protocol::{Reply, Request};
use odeon_convention::codes;
use std::time::Duration;

/// The way to the node, and the streams of the command.
pub(crate) struct Session<'a, 'o> {
    /// To the node.
    pub(crate) route: &'a Route,
    /// To the user.
    pub(crate) out: &'a mut Output<'o>,
}

impl Session<'_, '_> {
    /// Asks and gives the last reply.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Reply, CommandError> {
        self.ask_within(request, None).await
    }

    /// Asks and gives the last reply; `wait` bounds the wait for each.
    pub(crate) async fn ask_within(
        &mut self,
        request: &Request,
        wait: Option<Duration>,
    ) -> Result<Reply, CommandError> {
        let progress = Progress::new(self.out.is_json());
        let mut answers = self.route.ask_telling(request, |sent, of| progress.sent(sent, of)).await?;
        if wait.is_some() {
            answers = answers.waiting(wait);
        }
        while let Some(reply) = answers.next().await? {
            match reply {
                Reply::Progress { done, total, what } => progress.told(done, total, &what),
                Reply::Item(_) => return Err(unexpected(&reply)),
                last => return Ok(last),
            }
        }
        Err(CommandError::coded(codes::BAD_REQUEST, "the node ended its answer without saying anything"))
    }

    /// Asks for something to be done.
    pub(crate) async fn order(&mut self, request: &Request) -> Result<(), CommandError> {
        self.order_within(request, None).await
    }

    /// Asks for something to be done; `wait` bounds the wait for it.
    pub(crate) async fn order_within(&mut self, request: &Request, wait: Option<Duration>) -> Result<(), CommandError> {
        match self.ask_within(request, wait).await? {
            Reply::Done => self.out.done(),
            other => Err(unexpected(&other)),
        }
    }
}

/// A reply of another kind than the request's.
pub(crate) fn unexpected(reply: &Reply) -> CommandError {
    let debug = format!("{reply:?}");
    let kind: String = debug.chars().take_while(|c| c.is_alphanumeric()).collect();
    CommandError::coded(
        codes::BAD_REQUEST,
        format!("the node answered with '{kind}', which is no answer to this command"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unexpected_reply_is_named_by_its_kind_only() {
        let CommandError::Failed(failed) = unexpected(&Reply::Token("secret".into())) else { panic!() };
        assert!(failed.message.contains("'Token'") && !failed.message.contains("secret"), "{}", failed.message);
    }
}
