//! The commands on images and on the authority that approves them.

use super::actors::{requirements, short_hash};
use super::output::plain;
use super::pack::{FileCommand, evidence, file_command, image_bytes, required};
use super::session::unexpected;
use super::up::{AuthorityKind, authority_setting};
use super::watch::push_again_and_again;
use super::{CommandError, Session, values};
use crate::admin::protocol::{
    AuthorityView, DrainedItem, ImageDetail, ImageItem, PrefetchedItem, PushImage, Reply, Request, RevokeImage,
    RevokedItem, SetAuthorityActor,
};
use clap::Subcommand;
use odeon::{Address, Value};
use odeon_convention::codes;
use odeon_convention::limits::VERDICT_MS;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// How much longer than the node the command waits for its answer.
const GRACE: Duration = Duration::from_secs(30);
/// How long a push may take: others may be judged before, and each has its time.
const PUSH_WAIT: Duration = Duration::from_secs(6 * 3600);

/// What to do with the authority.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// Sets who approves images
    Set {
        /// Which
        #[arg(value_enum)]
        authority: AuthorityKind,
        /// The only actor that may; for actor
        #[arg(value_name = "ADDRESS")]
        actor: Option<Address>,
        /// A node, by name or id, whose actors may; for actor; may be given many times, else those on leaders may
        #[arg(long, value_name = "NODE", conflicts_with = "actor")]
        from: Vec<String>,
        /// How long the actor's verdict on an image is waited for; for actor [default: 2m]
        #[arg(long, value_name = "DURATION", value_parser = values::duration)]
        timeout: Option<Duration>,
        /// The keys that may sign images, in the format of OpenSSH; for keyring
        #[arg(long, value_name = "FILE")]
        allowed_signers: Option<PathBuf>,
        /// How many signers an image needs; for keyring
        #[arg(long, value_name = "K", value_parser = required())]
        required: Option<u8>,
        /// The keys with which images are decrypted, a file of age-keygen on every leader; for keyring
        #[arg(long, value_name = "FILE")]
        age_identity: Option<PathBuf>,
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
        /// Its signature, or a signed statement; may be given up to 16 times
        #[arg(long = "signature", value_name = "FILE")]
        signatures: Vec<PathBuf>,
        /// Takes it also when a newer version of its name is approved, or this one with other bytes
        #[arg(long)]
        allow_older: bool,
        /// Goes on, and pushes the folder anew whenever what is in its image changes; what it pushed before is unloaded
        #[arg(long, conflicts_with_all = ["signatures", "allow_older"])]
        watch: bool,
    },
    #[command(flatten)]
    File(FileCommand),
    /// Lists the images of the convention
    List,
    /// Shows what is known of an image: what is in it, what approved it, who holds it
    Show {
        /// A hash, a prefix of one, or name[@version]
        image: String,
    },
    /// Removes an image; running actors keep it until they exit
    Unload {
        /// A hash, a prefix of one, or name[@version]
        image: String,
    },
    /// Unloads an image, asks its actors to exit, and waits until none is left anywhere
    Drain {
        /// A hash, known or not, a prefix of a known one, or name[@version]
        image: String,
        /// How long its actors may take; then the command fails, and the image stays unloaded
        #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::duration)]
        timeout: Duration,
    },
    /// Has nodes fetch an image before an actor of it is asked for, and waits until they have it
    Prefetch {
        /// A hash, a prefix of one, or name[@version]
        image: String,
        /// A capability that must be true, or have this value; may be given many times
        #[arg(long = "require", value_name = "KEY[=VALUE]", value_parser = values::requirement)]
        require: Vec<(String, Option<Value>)>,
        /// A CEL expression over the capabilities that must be true
        #[arg(long = "where", value_name = "CEL")]
        expression: Option<String>,
        /// How long to wait until the nodes have it
        #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = values::duration)]
        timeout: Duration,
    },
    /// Forbids an image for ever, and says which nodes have confirmed that
    Revoke {
        /// A hash, known or not, a prefix of a known one, or name[@version] if only one image fits
        image: String,
        /// Asks its actors to exit as well
        #[arg(long)]
        end: bool,
        /// Why, for whoever reads the list of images
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// How long to wait until every node has confirmed
        #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
        timeout: Duration,
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
    /// The hash of what was pushed, where the image was made out of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pushed: Option<&'a str>,
}

/// `odeon image …`
pub(crate) async fn order(session: &mut Session<'_, '_>, command: ImageCommand) -> Result<(), CommandError> {
    match command {
        ImageCommand::Push { image, watch: true, .. } => {
            if !image.is_dir() {
                return Err(CommandError::Usage(format!("--watch: {} is no folder", image.display())));
            }
            let template =
                PushImage { bytes: Vec::new(), signature: None, more_signatures: Vec::new(), allow_older: true };
            push_again_and_again(session, &image, &template).await
        }
        ImageCommand::Push { image, signatures, allow_older, watch: _ } => {
            let mut texts = evidence(&signatures)?.into_iter();
            let (signature, more_signatures) = (texts.next(), texts.collect());
            let bytes = image_bytes(&image)?;
            push(session, PushImage { bytes, signature, more_signatures, allow_older }).await.map(drop)
        }
        ImageCommand::File(command) => file_command(session.out, command),
        ImageCommand::List => list(session).await,
        ImageCommand::Show { image } => match session.ask(&Request::ShowImage { image }).await? {
            Reply::Image(detail) => session.out.value(&*detail, detail_text),
            other => Err(unexpected(&other)),
        },
        ImageCommand::Unload { image } => session.order(&Request::UnloadImage { image }).await,
        ImageCommand::Drain { image, timeout } => {
            // A duration flag is bounded, so its milliseconds fit.
            let request = Request::DrainImage { image, timeout_ms: timeout.as_millis() as u64 };
            match session.ask_within(&request, Some(timeout + GRACE)).await? {
                Reply::Drained(drained) => session.out.value(&drained, drained_text),
                other => Err(unexpected(&other)),
            }
        }
        ImageCommand::Prefetch { image, require, expression, timeout } => {
            let requirements = requirements(require, expression)?;
            let request = Request::Prefetch { image, requirements, timeout_ms: timeout.as_millis() as u64 };
            prefetch(session, &request, timeout + GRACE).await
        }
        ImageCommand::Revoke { image, end, reason, timeout } => {
            // A duration flag is bounded, so its milliseconds fit.
            let timeout_ms = timeout.as_millis() as u64;
            let (reason, by) = (reason.unwrap_or_default(), String::new());
            let request = Request::RevokeImage(Box::new(RevokeImage { image, end, reason, timeout_ms, by }));
            revoke(session, &request, timeout + GRACE).await
        }
    }
}

/// Says who has confirmed, and fails where somebody has not.
async fn revoke(session: &mut Session<'_, '_>, request: &Request, wait: Duration) -> Result<(), CommandError> {
    let revoked = match session.ask_within(request, Some(wait)).await? {
        Reply::Revoked(revoked) => revoked,
        other => return Err(unexpected(&other)),
    };
    session.out.value(&revoked, revoked_text)?;
    if revoked.unconfirmed.is_empty() {
        return Ok(());
    }
    let missing = revoked.unconfirmed.len();
    let nodes = if missing == 1 { "node has" } else { "nodes have" };
    let message = format!("image {} is revoked, but {missing} {nodes} not confirmed yet", short_hash(&revoked.hash));
    Err(CommandError::coded(codes::REVOCATION_UNCONFIRMED, message))
}

/// Says how many have it, and fails where somebody has not.
async fn prefetch(session: &mut Session<'_, '_>, request: &Request, wait: Duration) -> Result<(), CommandError> {
    let prefetched = match session.ask_within(request, Some(wait)).await? {
        Reply::Prefetched(prefetched) => prefetched,
        other => return Err(unexpected(&other)),
    };
    session.out.value(&prefetched, prefetched_text)?;
    let missing = prefetched.missing.len();
    if missing == 0 {
        return Ok(());
    }
    let nodes = if missing == 1 { "node has" } else { "nodes have" };
    let message = format!("{missing} {nodes} not got image {} in time", short_hash(&prefetched.hash));
    Err(CommandError::coded(codes::PREFETCH_INCOMPLETE, message))
}

fn prefetched_text(prefetched: &PrefetchedItem) -> String {
    let PrefetchedItem { hash, nodes, missing } = prefetched;
    let of = u64::from(*nodes) + missing.len() as u64;
    let first = format!("{hash} is on {nodes} of {of} nodes");
    let missing = missing.iter().map(|item| plain(&format!("missing: {} {}", item.name, item.node)));
    std::iter::once(first).chain(missing).collect::<Vec<_>>().join("\n")
}

fn drained_text(drained: &DrainedItem) -> String {
    let DrainedItem { hash, actors, nodes } = drained;
    let actors = if *actors == 1 { "1 actor".to_owned() } else { format!("{actors} actors") };
    let nodes = if *nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
    format!("{hash} drained: {actors} on {nodes} exited")
}

fn revoked_text(revoked: &RevokedItem) -> String {
    let RevokedItem { hash, name, version, confirmed, unconfirmed, .. } = revoked;
    let what = if name.is_empty() { String::new() } else { plain(&format!(" {name}@{version}")) };
    let of = u64::from(*confirmed) + unconfirmed.len() as u64;
    let first = format!("{hash}{what} revoked, confirmed by {confirmed} of {of} nodes");
    let missing = unconfirmed.iter().map(|item| plain(&format!("not confirmed: {} {}", item.name, item.node)));
    std::iter::once(first).chain(missing).collect::<Vec<_>>().join("\n")
}

/// Pushes an image, and prints what became of it.
pub(super) async fn push(session: &mut Session<'_, '_>, image: PushImage) -> Result<ImageItem, CommandError> {
    match session.ask_within(&Request::PushImage(image), Some(PUSH_WAIT)).await? {
        Reply::Pushed(item) => {
            let ImageItem { hash, name, version, size, state, by, pushed, .. } = &item;
            let pushed = Pushed { hash, name, version, size: *size, state, pushed: pushed.as_deref() };
            session.out.value(&pushed, |p| {
                let made = p.pushed.map_or_else(String::new, |pushed| format!(", made out of {pushed}"));
                plain(&format!("{} {}@{} {}{made}", p.hash, p.name, p.version, p.state))
            })?;
            match state.as_str() {
                "rejected" => {
                    Err(CommandError::coded(codes::IMAGE_NOT_APPROVED, format!("image {hash} is {state} by {by}")))
                }
                // Since the authority has spoken.
                "revoked" => Err(CommandError::coded(codes::IMAGE_REVOKED, format!("image {hash} is {state} by {by}"))),
                _ => Ok(item),
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

fn detail_text(image: &ImageDetail) -> String {
    let ImageDetail {
        hash,
        name,
        version,
        size,
        state,
        by,
        approved,
        until,
        types,
        approvals,
        nodes,
        actors,
        pushed,
        grants,
    } = image;
    let mut lines = vec![format!("{hash} {name}@{version} ({size} bytes)")];
    let since = approved.as_ref().map_or_else(String::new, |at| format!(" {at}"));
    let until = until.as_ref().map_or_else(String::new, |until| format!(", until {until}"));
    lines.push(format!("{state}{since}{until} by {by}"));
    lines.extend(pushed.iter().map(|pushed| format!("  made out of {pushed}")));
    for actor in types {
        let require = if actor.require.is_empty() { "nothing".to_owned() } else { actor.require.join(", ") };
        lines.push(format!("  actor {} requires {require}", actor.name));
    }
    if let Some(grants) = grants {
        let kinds =
            [("outbound", &grants.outbound), ("folders", &grants.folders), ("environment", &grants.environment)];
        let asked = kinds.iter().filter(|(_, all)| !all.is_empty());
        lines.extend(asked.map(|(kind, all)| format!("  asks for {kind} {}", all.join(", "))));
    }
    for one in approvals {
        let from = one.not_before.as_ref().map_or_else(String::new, |time| format!(", from {time}"));
        let to = one.not_after.as_ref().map_or_else(String::new, |time| format!(", until {time}"));
        lines.push(format!("  approved by {} {} ({}{from}{to})", one.by, one.fingerprint, one.signed));
    }
    let held = if nodes.is_empty() { "no node".to_owned() } else { nodes.join(", ") };
    lines.push(format!("  held by {held}; {actors} actors run from it"));
    lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}

/// `odeon authority …`
pub(crate) async fn authority(session: &mut Session<'_, '_>, command: AuthorityCommand) -> Result<(), CommandError> {
    match command {
        AuthorityCommand::Set {
            authority: kind @ AuthorityKind::Actor,
            actor,
            from,
            timeout,
            allowed_signers,
            required,
            age_identity,
        } => {
            authority_setting(kind, allowed_signers.as_deref(), required, age_identity.as_deref())?;
            // A duration flag is bounded, so its milliseconds fit.
            let answer_ms = timeout.map_or(VERDICT_MS, |timeout| timeout.as_millis() as u64);
            let set = SetAuthorityActor { actor, from, answer_ms };
            session.order(&Request::SetAuthorityActor(Box::new(set))).await
        }
        AuthorityCommand::Set { authority, actor, from, timeout, allowed_signers, required, age_identity } => {
            if actor.is_some() || !from.is_empty() || timeout.is_some() {
                let message = "an address, --from and --timeout are for the authority 'actor'";
                return Err(CommandError::Usage(message.into()));
            }
            let authority =
                authority_setting(authority, allowed_signers.as_deref(), required, age_identity.as_deref())?;
            session.order(&Request::SetAuthority { authority }).await
        }
        AuthorityCommand::Show => match session.ask(&Request::Authority).await? {
            Reply::Authority(view) => session.out.value(&view, authority_text),
            other => Err(unexpected(&other)),
        },
    }
}

fn authority_text(view: &AuthorityView) -> String {
    let required = view.required.map(|required| format!("required signers: {required}"));
    let identity = view.age_identity.as_ref().map(|path| format!("decrypts with: {path}"));
    let from = (!view.from.is_empty()).then(|| format!("may register: {}", view.from.join(", ")));
    let waits = view.answer_ms.map(|ms| format!("waits: {} s", Duration::from_millis(ms).as_secs_f32()));
    let actor = view.actor.as_ref().map(|who| format!("decides: {} {} on {}", who.actor, who.address, who.node));
    let nobody = view.answer_ms.filter(|_| actor.is_none()).map(|_| "decides: nobody".to_owned());
    let lines = std::iter::once(&view.authority).chain(&required).chain(&view.signers);
    let lines = lines.chain(&identity).chain(&from).chain(&waits).chain(&actor).chain(&nobody);
    lines.map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}
