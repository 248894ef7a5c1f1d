//! The commands on images and on the authority that approves them.

use super::actors::short_hash;
use super::output::plain;
use super::pack::{FileCommand, file_command, image_bytes};
use super::session::unexpected;
use super::up::{AuthorityKind, authority_setting, text_of};
use super::{CommandError, Session};
use crate::admin::protocol::{AuthorityView, ImageItem, PushImage, Reply, Request};
use clap::Subcommand;
use odeon_convention::codes;
use serde::Serialize;
use std::path::PathBuf;

/// What to do with the authority.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// Sets who approves images
    Set {
        /// Which
        #[arg(value_enum)]
        authority: AuthorityKind,
        /// The keys that may sign images, in the format of OpenSSH; for keyring
        #[arg(long, value_name = "FILE")]
        allowed_signers: Option<PathBuf>,
    },
    /// Shows who approves images
    Show,
}

/// What to do with images.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ImageCommand {
    /// Loads an image, and waits for the authority's word
    Push {
        /// A zip, or a folder with odeon.toml to pack
        #[arg(value_name = "FILE|DIR")]
        image: PathBuf,
        /// Its signature
        #[arg(long, value_name = "FILE")]
        signature: Option<PathBuf>,
    },
    #[command(flatten)]
    File(FileCommand),
    /// Lists the images of the convention
    List,
    /// Removes an image; running actors keep it until they exit
    Unload {
        /// A hash, a prefix of one, or name[@version]
        image: String,
    },
}

/// What `image push` prints.
#[derive(Serialize)]
struct Pushed<'a> {
    hash: &'a str,
    name: &'a str,
    version: &'a str,
    size: u64,
    state: &'a str,
}

/// `odeon image …`
pub(crate) async fn order(session: &mut Session<'_, '_>, command: ImageCommand) -> Result<(), CommandError> {
    match command {
        ImageCommand::Push { image, signature } => {
            let signature = signature.as_deref().map(text_of).transpose()?;
            push(session, PushImage { bytes: image_bytes(&image)?, signature }).await
        }
        ImageCommand::File(command) => file_command(session.out, command),
        ImageCommand::List => list(session).await,
        ImageCommand::Unload { image } => session.order(&Request::UnloadImage { image }).await,
    }
}

async fn push(session: &mut Session<'_, '_>, image: PushImage) -> Result<(), CommandError> {
    match session.ask(&Request::PushImage(image)).await? {
        Reply::Pushed(item) => {
            let ImageItem { hash, name, version, size, state, by, .. } = &item;
            let pushed = Pushed { hash, name, version, size: *size, state };
            session.out.value(&pushed, |p| plain(&format!("{} {}@{} {}", p.hash, p.name, p.version, p.state)))?;
            match state.as_str() {
                "rejected" | "revoked" => {
                    Err(CommandError::coded(codes::IMAGE_NOT_APPROVED, format!("image {hash} is {state} by {by}")))
                }
                _ => Ok(()),
            }
        }
        other => Err(unexpected(&other)),
    }
}

async fn list(session: &mut Session<'_, '_>) -> Result<(), CommandError> {
    match session.ask(&Request::Images).await? {
        Reply::Images(images) => {
            let header = ["HASH", "NAME", "VERSION", "SIZE", "STATE", "BY", "NODES", "ACTORS"];
            session.out.rows(&images, header, |i| {
                let [size, nodes, actors] = [i.size.to_string(), i.nodes.to_string(), i.actors.to_string()];
                let [name, version] = [i.name.clone(), i.version.clone()];
                let hash = short_hash(&i.hash).to_owned();
                [hash, name, version, size, i.state.clone(), i.by.clone(), nodes, actors]
            })
        }
        other => Err(unexpected(&other)),
    }
}

/// `odeon authority …`
pub(crate) async fn authority(session: &mut Session<'_, '_>, command: AuthorityCommand) -> Result<(), CommandError> {
    match command {
        AuthorityCommand::Set { authority, allowed_signers } => {
            let authority = authority_setting(authority, allowed_signers.as_deref())?;
            session.order(&Request::SetAuthority { authority }).await
        }
        AuthorityCommand::Show => match session.ask(&Request::Authority).await? {
            Reply::Authority(view) => session.out.value(&view, authority_text),
            other => Err(unexpected(&other)),
        },
    }
}

fn authority_text(view: &AuthorityView) -> String {
    std::iter::once(&view.authority).chain(&view.signers).map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}
