//! `odeon image push DIR --watch`: the loop of editing and running.

use super::images::push;
use super::pack::image_bytes;
use super::{CommandError, Session};
use crate::admin::protocol::{ImageItem, PushImage, Request};
use odeon_convention::codes;
use std::path::Path;
use std::time::Duration;

/// How often the folder is looked at. A build writes for a while: it is pushed once it was left alone for so long.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Pushes a folder whenever what is in its image changes, and unloads what it pushed before. Goes on until it is ended.
pub(super) async fn push_again_and_again(
    session: &mut Session<'_, '_>,
    folder: &Path,
    template: &PushImage,
) -> Result<(), CommandError> {
    let mut pushed: Option<ImageItem> = None;
    let mut before = None;
    loop {
        let now = odeon_deploy::stamp(folder);
        if before.as_ref() != Some(&now) {
            tokio::time::sleep(LOOK_EVERY).await;
            if odeon_deploy::stamp(folder) != now {
                continue;
            }
            before = Some(now);
            match push_once(session, folder, template, pushed.as_ref()).await {
                Ok(Some(item)) => pushed = Some(item),
                Ok(None) => {}
                Err(CommandError::ReaderGone) => return Err(CommandError::ReaderGone),
                // What is half edited is pushed when it is whole.
                Err(error) => error.tell(session.out),
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Gives what was pushed, if that is another image than before.
async fn push_once(
    session: &mut Session<'_, '_>,
    folder: &Path,
    template: &PushImage,
    before: Option<&ImageItem>,
) -> Result<Option<ImageItem>, CommandError> {
    let bytes = image_bytes(folder)?;
    let item = push(session, PushImage { bytes, ..template.clone() }).await?;
    if before.is_some_and(|before| before.hash == item.hash) {
        return Ok(None);
    }
    if let Some(before) = before {
        let unload = Request::UnloadImage { image: before.hash.clone() };
        match session.ask(&unload).await {
            Ok(_) => {}
            // Somebody has unloaded it meanwhile.
            Err(CommandError::Failed(failed)) if failed.code == codes::IMAGE_UNKNOWN => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(item))
}
