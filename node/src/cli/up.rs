//! `odeon up`: what the user asks of a new node, checked as far as that can be done before it starts.

use super::pack::required;
use super::{CommandError, values};
use crate::advertise::ADVERTISED_MAX;
use crate::logs::LogConfig;
use clap::{Args, ValueEnum};
use odeon::Value;
use odeon_capabilities::{CapabilityMap, Delta};
use odeon_convention::codes;
use odeon_convention::limits::{LISTEN_BYTES_MAX, VERDICT_MS};
use odeon_convention::record::{AuthoritySetting, Registrants};
use odeon_sourceauth::{EnvironmentName, FolderGrant, GRANTS_CAPABILITY, Grants, Keyring, PROCESS_CAPABILITY, Remote};
use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes of a file of capabilities or of allowed signers.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where a node listens unless it is told.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5340);
/// What a node that only dials dials from unless it is told.
const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The flags of `up`.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpArguments {
    /// The node's name, unique in the convention; the host's name by default
    #[arg(long, value_parser = values::node_name)]
    name: Option<String>,
    /// Where other nodes reach this one; port 0 takes a free one [default: 127.0.0.1:5340, or any port with
    /// --outbound-only]
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// Where others dial this node, if not where it listens; may be given up to 4 times, the best first
    #[arg(long, value_name = "HOST:PORT", value_parser = values::host_port, conflicts_with = "outbound_only")]
    advertise: Vec<String>,
    /// Lets nobody dial this node: it dials the leaders and whoever it talks to; two such nodes talk through a leader
    #[arg(long)]
    outbound_only: bool,
    /// The HTTP interface
    #[arg(long, value_enum, default_value_t = Http::Off)]
    http: Http,
    /// A capability of this node; may be given many times
    #[arg(long = "capability", value_name = "KEY=VALUE", value_parser = values::key_value)]
    capabilities: Vec<(String, Value)>,
    /// Capabilities of this node from a TOML file; --capability overrides them
    #[arg(long = "capabilities", value_name = "FILE.toml")]
    capabilities_file: Option<PathBuf>,
    /// Joins the convention that made this token, or the one in @FILE; a folder that belongs to one needs none
    #[arg(long, value_name = "TOKEN", env = "ODEON_JOIN", hide_env_values = true)]
    join: Option<String>,
    /// Waits for `odeon invite` at a leader, which dials this node, instead of joining with a token
    #[arg(long, conflicts_with_all = ["join", "outbound_only"])]
    await_invite: bool,
    /// Sets who approves images, at the leader
    #[arg(long, value_enum)]
    authority: Option<AuthorityKind>,
    /// The keys that may sign images, in the format of OpenSSH; for --authority keyring
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    /// How many signers an image needs; for --authority keyring
    #[arg(long, value_name = "K", value_parser = required())]
    signatures_required: Option<u8>,
    /// The keys with which images are decrypted, a file of age-keygen on every leader; for --authority keyring
    #[arg(long, value_name = "FILE")]
    age_identity: Option<PathBuf>,
    /// Whether this node runs images that were loaded elsewhere
    #[arg(long, value_enum, default_value_t = AllowRemoteImages::Yes)]
    allow_remote_images: AllowRemoteImages,
    /// Whether actors may have images unloaded, where this node leads
    #[arg(long, value_enum, default_value_t = AllowActorUnload::No)]
    allow_actor_unload: AllowActorUnload,
    /// How much the images on this node may take: a number with KiB, MiB or GiB
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = values::size)]
    image_store_max: u64,
    /// Has this node verify signatures of images itself, by these keys in the format of OpenSSH, before it uses one
    #[arg(long, value_name = "FILE")]
    image_signers: Option<PathBuf>,
    /// How many signers an image needs on this node; for --image-signers
    #[arg(long, value_name = "K", requires = "image_signers", value_parser = required())]
    image_signatures_required: Option<u8>,
    /// Has an actor of this type, one that is linked in, decide for this node alone which approved images it uses
    #[arg(long, value_name = "TYPE")]
    image_authority: Option<String>,
    /// How long its word on an image is waited for; for --image-authority [default: 2m]
    #[arg(long, value_name = "DURATION", requires = "image_authority", value_parser = values::verdict_time)]
    image_authority_timeout: Option<Duration>,
    /// How many bytes of images this node sends to others in a second, such as 10MiB; by default as many as it can
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    image_upload_limit: Option<NonZeroU64>,
    /// How many bytes of images this node receives from others in a second
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    image_download_limit: Option<NonZeroU64>,
    /// Whether this node runs code of images as processes, which are less caged than wasm; it has the capability
    /// odeon.process then
    #[arg(long, value_enum, default_value_t = AllowProcess::No)]
    allow_process: AllowProcess,
    /// Whom those processes run as; needed where the node is run by root
    #[arg(long, value_name = "NAME|UID")]
    process_user: Option<String>,
    /// Where images that ask for it may connect to: a name, *.NAME, an address, a network or *, and a port or *; may be
    /// given many times
    #[arg(long, value_name = "HOST:PORT")]
    allow_outbound: Vec<Remote>,
    /// A folder that images that ask for it may read, with :rw also write; may be given many times
    #[arg(long, value_name = "PATH[:rw]")]
    allow_folder: Vec<FolderGrant>,
    /// A variable of this node's environment that images that ask for it are given; may be given many times
    #[arg(long, value_name = "NAME")]
    allow_environment: Vec<EnvironmentName>,
    /// Where this node's lines are shown, beside the warnings that the leader collects; by default standard error
    #[arg(long, value_name = "FILE.toml")]
    log_config: Option<PathBuf>,
    /// What this node dials over
    #[arg(long, value_enum, default_value_t = Transport::Quic)]
    transport: Transport,
}

/// What `up` hands to the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpOptions {
    /// The node's folder.
    pub data: PathBuf,
    /// Its name; none for one that the daemon chooses.
    pub name: Option<String>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where others dial it; none for where it listens.
    pub advertise: Vec<String>,
    /// Whether it only dials, and lets nobody in who dials it.
    pub outbound_only: bool,
    /// Whether it dials over TCP only.
    pub tcp_only: bool,
    /// Where its HTTP interface listens; none for no such interface.
    pub http: Option<SocketAddr>,
    /// What it has.
    pub capabilities: CapabilityMap,
    /// The text of a join token.
    pub join: Option<String>,
    /// Whether it waits to be invited, in a folder that belongs to no convention.
    pub await_invite: bool,
    /// Which authority to set; none leaves it as it is.
    pub authority: Option<AuthoritySetting>,
    /// Whether it runs images from elsewhere.
    pub allow_remote_images: AllowRemoteImages,
    /// Whether actors may have images unloaded, where it leads.
    pub allow_actor_unload: bool,
    /// Bytes that its images may take together.
    pub image_store_bytes_max: u64,
    /// Who has to have signed an image that it uses, whatever the leader says.
    pub image_signers: Option<Keyring>,
    /// Who decides for it alone which approved images it uses.
    pub image_authority: Option<ImageAuthority>,
    /// Bytes of images that it sends in a second; none for as many as it can.
    pub image_upload_limit: Option<NonZeroU64>,
    /// Bytes of images that it receives in a second.
    pub image_download_limit: Option<NonZeroU64>,
    /// Whether it runs code of images as processes.
    pub allow_process: bool,
    /// Whom those run as; none as the node does.
    pub process_user: Option<String>,
    /// What images that ask for it may reach outside of themselves.
    pub allowed: Grants,
    /// Where its lines are shown.
    pub log_config: LogConfig,
    /// Whether the ready line is JSON.
    pub json: bool,
}

/// An actor that decides on images for one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageAuthority {
    /// Its type.
    pub actor: String,
    /// How long its word on an image is waited for.
    pub answer: Duration,
}

/// Whether a node runs images that were loaded elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum AllowRemoteImages {
    /// Any approved image.
    #[default]
    Yes,
    /// Only what is linked into it.
    No,
    /// Approved images, fetched from the leader only.
    LeaderOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AllowProcess {
    /// Images whose runtime is `process` are refused
    No,
    /// They run, where this node has what they need
    Yes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AllowActorUnload {
    /// Only people may
    No,
    /// Every actor in the convention may
    Yes,
}

/// Which authority decides on images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuthorityKind {
    /// Nothing is approved
    None,
    /// Every well-formed image is approved
    AcceptAll,
    /// Images signed by an allowed key are approved
    Keyring,
    /// An actor that registers approves images
    Actor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Http {
    /// There is none
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transport {
    /// QUIC over UDP, and over TCP with TLS where UDP gets no answer
    Quic,
    /// QUIC over TCP with TLS only
    Tcp,
}

impl UpArguments {
    /// Reads the files that are named, and checks the whole.
    pub(crate) fn into_options(self, data: PathBuf, json: bool) -> Result<UpOptions, CommandError> {
        let Http::Off = self.http;
        check_advertised(&self.advertise)?;
        let mut capabilities = CapabilityMap::new();
        let mut all = match &self.capabilities_file {
            Some(file) => capabilities_of(file)?,
            None => Vec::new(),
        };
        all.extend(self.capabilities);
        if all.iter().any(|(key, _)| key == PROCESS_CAPABILITY) {
            return Err(CommandError::Usage(format!("{PROCESS_CAPABILITY} is set by --allow-process yes")));
        }
        if all.iter().any(|(key, _)| key == GRANTS_CAPABILITY) {
            let message = "is set by --allow-outbound, --allow-folder and --allow-environment";
            return Err(CommandError::Usage(format!("{GRANTS_CAPABILITY} {message}")));
        }
        let allowed =
            Grants { outbound: self.allow_outbound, folders: self.allow_folder, environment: self.allow_environment };
        if !allowed.is_empty() {
            all.push((GRANTS_CAPABILITY.to_owned(), Value::Bool(true)));
        }
        let allow_process = self.allow_process == AllowProcess::Yes;
        if allow_process {
            all.push((PROCESS_CAPABILITY.to_owned(), Value::Bool(true)));
        } else if self.process_user.is_some() {
            return Err(CommandError::Usage("--process-user is for --allow-process yes".into()));
        }
        let delta = Delta(all.into_iter().map(|(k, v)| (k, Some(v))).collect());
        capabilities.apply(&delta).map_err(|e| CommandError::coded(codes::BAD_CAPABILITY, e.to_string()))?;
        let authority = match self.authority {
            Some(kind) => {
                let default = data.join("allowed_signers");
                let signers = self.allowed_signers.as_deref().unwrap_or(&default);
                Some(authority_setting(kind, Some(signers), self.signatures_required, self.age_identity.as_deref())?)
            }
            None if self.allowed_signers.is_some() => {
                return Err(CommandError::Usage("--allowed-signers is for --authority keyring".into()));
            }
            None if self.age_identity.is_some() => {
                return Err(CommandError::Usage("--age-identity is for --authority keyring".into()));
            }
            None if self.signatures_required.is_some() => {
                return Err(CommandError::Usage("--signatures-required is for --authority keyring".into()));
            }
            None => None,
        };
        let image_signers = match &self.image_signers {
            Some(file) => Some(keyring_of(file, self.image_signatures_required.unwrap_or(1))?),
            None => None,
        };
        let answer = self.image_authority_timeout.unwrap_or(Duration::from_millis(VERDICT_MS));
        let image_authority = self.image_authority.map(|actor| ImageAuthority { actor, answer });
        let log_config = match &self.log_config {
            Some(file) => log_config_of(file)?,
            None => LogConfig::standard(json),
        };
        Ok(UpOptions {
            data,
            name: self.name,
            listen: self.listen.unwrap_or(if self.outbound_only { ANY } else { LISTEN }),
            advertise: self.advertise,
            outbound_only: self.outbound_only,
            tcp_only: self.transport == Transport::Tcp,
            http: None,
            capabilities,
            join: self.join.as_deref().map(token_text).transpose()?.flatten(),
            await_invite: self.await_invite,
            authority,
            allow_remote_images: self.allow_remote_images,
            allow_actor_unload: self.allow_actor_unload == AllowActorUnload::Yes,
            image_store_bytes_max: self.image_store_max,
            image_signers,
            image_authority,
            image_upload_limit: self.image_upload_limit,
            image_download_limit: self.image_download_limit,
            allow_process,
            process_user: self.process_user,
            allowed,
            log_config,
            json,
        })
    }
}

/// The leader takes so many bytes of addresses; fewer are dialled within a moment.
fn check_advertised(addresses: &[String]) -> Result<(), CommandError> {
    let (count, bytes) = (addresses.len(), addresses.iter().map(|a| a.len() + 1).sum::<usize>());
    if count > ADVERTISED_MAX || bytes > LISTEN_BYTES_MAX {
        return Err(CommandError::Usage(format!(
            "--advertise: {count} addresses of {bytes} bytes, at most {ADVERTISED_MAX} of {LISTEN_BYTES_MAX} are allowed"
        )));
    }
    Ok(())
}

fn log_config_of(file: &Path) -> Result<LogConfig, CommandError> {
    let wrong = |e: &dyn std::fmt::Display| CommandError::Usage(format!("{}: {e}", file.display()));
    let whole = std::path::absolute(file).map_err(|e| wrong(&e))?;
    let folder = whole.parent().unwrap_or(Path::new("/"));
    LogConfig::parse(&text_of(file)?, folder).map_err(|e| wrong(&e))
}

fn keyring_of(file: &Path, required: u8) -> Result<Keyring, CommandError> {
    Keyring::parse(&text_of(file)?, usize::from(required))
        .map_err(|e| CommandError::Usage(format!("{}: {e}", file.display())))
}

/// The authority that is meant, with the keys of its file.
pub(crate) fn authority_setting(
    kind: AuthorityKind,
    signers: Option<&Path>,
    required: Option<u8>,
    age_identity: Option<&Path>,
) -> Result<AuthoritySetting, CommandError> {
    match (kind, signers) {
        (AuthorityKind::None | AuthorityKind::AcceptAll | AuthorityKind::Actor, _) if age_identity.is_some() => {
            Err(CommandError::Usage("only the authority 'keyring' has an age identity".into()))
        }
        (AuthorityKind::None | AuthorityKind::AcceptAll | AuthorityKind::Actor, _) if required.is_some() => {
            Err(CommandError::Usage("only the authority 'keyring' has a number of required signers".into()))
        }
        (AuthorityKind::None, _) => Ok(AuthoritySetting::None),
        (AuthorityKind::AcceptAll, _) => Ok(AuthoritySetting::AcceptAll),
        (AuthorityKind::Actor, _) => Ok(AuthoritySetting::Actor { from: Registrants::Leaders, answer_ms: VERDICT_MS }),
        (AuthorityKind::Keyring, Some(file)) => {
            let age_identity = age_identity.map(whole_path).transpose()?;
            Ok(AuthoritySetting::Keyring {
                allowed_signers: text_of(file)?,
                required: required.unwrap_or(1),
                age_identity,
            })
        }
        (AuthorityKind::Keyring, None) => {
            Err(CommandError::Usage("the authority 'keyring' needs --allowed-signers FILE".into()))
        }
    }
}

/// The path of a file that every leader has, so that it means the same on all of them.
fn whole_path(path: &Path) -> Result<String, CommandError> {
    match path.to_str().filter(|_| path.is_absolute()) {
        Some(path) => Ok(path.to_owned()),
        None => Err(CommandError::Usage(format!("--age-identity {}: expected the whole path", path.display()))),
    }
}

/// The token that is meant: the text itself, or what is in the file that follows an `@`. A variable that a Compose file
/// leaves empty is no token.
pub(crate) fn token_text(text: &str) -> Result<Option<String>, CommandError> {
    match text.strip_prefix('@') {
        Some(file) => Ok(Some(text_of(Path::new(file))?.trim().to_owned())),
        None => Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
    }
}

/// The text of a small file that the user named.
pub(crate) fn text_of(path: &Path) -> Result<String, CommandError> {
    text_of_at_most(path, FILE_BYTES_MAX)
}

/// The text of a file that the user named.
pub(super) fn text_of_at_most(path: &Path, bytes_max: u64) -> Result<String, CommandError> {
    let wrong = |why: String| CommandError::Usage(format!("{}: {why}", path.display()));
    let file = fs::File::open(path).map_err(|e| wrong(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
    if bytes.len() as u64 > bytes_max {
        return Err(wrong(format!("the file is larger than {bytes_max} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| wrong("the file is not UTF-8 text".into()))
}

fn capabilities_of(path: &Path) -> Result<Vec<(String, Value)>, CommandError> {
    let wrong = |why: String| CommandError::Usage(format!("{}: {why}", path.display()));
    let table: toml::Table = text_of(path)?.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
    table
        .into_iter()
        .map(|(key, value)| match from_toml(value) {
            Ok(value) => Ok((key, value)),
            Err(why) => Err(wrong(format!("capability {key:?}: {why}"))),
        })
        .collect()
}

fn from_toml(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::Boolean(v) => Value::Bool(v),
        toml::Value::Integer(v) => Value::Integer(v),
        toml::Value::Float(v) => Value::Float(v),
        toml::Value::String(v) => Value::String(v),
        toml::Value::Array(v) => Value::List(v.into_iter().map(from_toml).collect::<Result<_, _>>()?),
        toml::Value::Table(v) => {
            Value::Map(v.into_iter().map(|(k, v)| Ok((k, from_toml(v)?))).collect::<Result<_, String>>()?)
        }
        toml::Value::Datetime(v) => return Err(format!("{v} is a date: write it as a string, in quotes")),
    })
}
