//! The coded errors that an operator can meet. Each has a page in `docs/errors/` that `odeon help OD-NNN` prints.

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal, exit $exit:literal;)*) => {
        $($(#[doc = $doc])* pub const $name: u16 = $number;)*

        /// Every code with the exit code of a command that fails with it.
        pub const ALL: &[(u16, u8)] = &[$(($number, $exit)),*];
    };
}

codes! {
    /// No node answers on the socket or address that was named.
    NODE_UNREACHABLE = 100, exit 6;
    /// The node has no link to its leader.
    LEADER_UNREACHABLE = 101, exit 6;
    /// No answer came in time.
    TIMED_OUT = 102, exit 3;
    /// A request or frame that this version does not understand.
    BAD_REQUEST = 103, exit 1;
    /// The peer speaks another protocol version.
    PROTOCOL_VERSION = 104, exit 1;
    /// No leader with a majority of the leaders can be reached; what was asked for may have been done or not.
    NO_MAJORITY = 105, exit 6;
    /// The text is not a token.
    TOKEN_MALFORMED = 110, exit 5;
    /// The token's time is over.
    TOKEN_EXPIRED = 111, exit 5;
    /// The token has been used as often as it may be.
    TOKEN_USED_UP = 112, exit 5;
    /// The leader does not know the token.
    TOKEN_UNKNOWN = 113, exit 5;
    /// The caller's role does not allow it.
    ROLE = 114, exit 5;
    /// A capability that the node's token does not let it claim.
    CLAIM = 115, exit 5;
    /// Another live node has the name.
    NODE_NAME_TAKEN = 116, exit 1;
    /// A later start of the same node is known: perhaps a copied folder.
    SUPERSEDED = 117, exit 1;
    /// The peer is not who the token or certificate says.
    IDENTITY = 118, exit 5;
    /// This start of the node was declared gone; it has to start again.
    DECLARED_GONE = 119, exit 1;
    /// The file is not a well-formed image.
    IMAGE_MALFORMED = 120, exit 1;
    /// The image, or something in it, is larger than the limits.
    IMAGE_TOO_LARGE = 121, exit 1;
    /// No Source Authority is set, so nothing can be approved.
    NO_AUTHORITY = 122, exit 5;
    /// The authority wants a signature and none came along.
    SIGNATURE_MISSING = 123, exit 5;
    /// The signature does not verify.
    SIGNATURE_INVALID = 124, exit 5;
    /// The signature is by a key that is not allowed.
    SIGNER_NOT_ALLOWED = 125, exit 5;
    /// No image has this hash or name.
    IMAGE_UNKNOWN = 126, exit 1;
    /// More than one image fits what was given.
    IMAGE_AMBIGUOUS = 127, exit 1;
    /// The image was not approved.
    IMAGE_NOT_APPROVED = 128, exit 5;
    /// The bytes do not have the hash that they should have.
    HASH_MISMATCH = 129, exit 1;
    /// No node can host the actor.
    NO_COMPATIBLE_NODE = 130, exit 4;
    /// Neither the image nor any node has an actor of this name.
    ACTOR_TYPE_UNKNOWN = 131, exit 1;
    /// A requirement or expression cannot be understood.
    BAD_REQUIREMENT = 132, exit 1;
    /// The actor's constructor failed.
    CREATION_FAILED = 133, exit 1;
    /// No node has this name or id.
    NODE_UNKNOWN = 134, exit 1;
    /// A capability key or value that no map can hold.
    BAD_CAPABILITY = 135, exit 1;
    /// Actors were left on a draining node when its time was over.
    NOT_DRAINED = 136, exit 3;
    /// The node leads, and so it cannot be drained.
    NODE_LEADS = 137, exit 1;
    /// The image is revoked, for ever: nothing is created from it, and it cannot be pushed again.
    IMAGE_REVOKED = 138, exit 5;
    /// The image is revoked, but not every node has confirmed so in time.
    REVOCATION_UNCONFIRMED = 139, exit 3;
    /// No actor has this address any more.
    ACTOR_GONE = 140, exit 1;
    /// The actor failed on the message twice.
    POISONED = 141, exit 1;
    /// Actors of a drained image were left when the time for them was over.
    IMAGE_NOT_DRAINED = 142, exit 3;
    /// Not every node that was to have an image has it in time.
    PREFETCH_INCOMPLETE = 143, exit 3;
    /// The images of a leader take as much room as they may.
    IMAGE_STORE_FULL = 144, exit 1;
    /// Another process uses the data folder.
    DATA_IN_USE = 150, exit 1;
    /// The data folder cannot be read or written.
    DATA_UNUSABLE = 151, exit 1;
    /// The disk is full; nothing that was acknowledged is lost.
    DISK_FULL = 152, exit 1;
    /// The address to listen on cannot be had.
    LISTEN = 153, exit 1;
    /// The data folder already belongs to a convention.
    ALREADY_JOINED = 154, exit 1;
    /// A node that may lead cannot be one that only dials.
    OUTBOUND_ONLY = 155, exit 1;
    /// Whoever is there does not wait for an invitation with this code.
    INVITE_REFUSED = 156, exit 5;
    /// No invitation to this address is under way.
    NOT_INVITED = 157, exit 1;
    /// The invitation was cancelled.
    INVITE_CANCELLED = 158, exit 1;
    /// Fewer signers have signed the image than the authority requires.
    SIGNERS_TOO_FEW = 160, exit 5;
    /// The approval of the image has run out.
    IMAGE_EXPIRED = 161, exit 5;
    /// A newer version of the image is approved, or this one with other bytes.
    IMAGE_OLDER = 162, exit 5;
    /// The node runs no code of images as processes.
    PROCESS_NOT_ALLOWED = 166, exit 5;
    /// The process of an image cannot be started, or does not have what its manifest says.
    PROCESS_UNUSABLE = 167, exit 1;
    /// Nobody is named whom the processes of images are to run as.
    PROCESS_USER = 168, exit 1;
    /// The Source Authority is an actor, and has not spoken in time.
    AUTHORITY_SILENT = 169, exit 3;
    /// The Source Authority is an actor, and there is none, or it does not answer as it has to.
    AUTHORITY_ABSENT = 170, exit 5;
    /// The image is encrypted, and this leader cannot decrypt it.
    NOT_DECRYPTED = 171, exit 5;
    /// As many pushes wait for their verdict as may wait.
    PUSHES_WAITING = 172, exit 1;
    /// The node does not allow what the image asks to reach outside of itself.
    GRANTS_NOT_ALLOWED = 173, exit 5;
    /// What the image is granted is not there on the node.
    GRANTS_UNUSABLE = 174, exit 1;
    /// No actor may unload an image here.
    ACTOR_UNLOAD = 175, exit 5;
    /// What builds an image is not installed.
    BUILD_TOOLS = 176, exit 1;
    /// The instance that an image's actors share has as many as it may.
    INSTANCE_FULL = 177, exit 4;
    /// The code of an image cannot be built.
    BUILD_FAILED = 178, exit 1;
    /// A node's own Source Authority rejects an image that is approved.
    OWN_AUTHORITY_REJECTS = 179, exit 5;
    /// A node's own Source Authority has not spoken on an image in time.
    OWN_AUTHORITY_SILENT = 180, exit 3;
    /// A node's own Source Authority is gone, or does not answer as it has to.
    OWN_AUTHORITY_ABSENT = 181, exit 5;
    /// The actor that is to be a node's own Source Authority cannot be created.
    OWN_AUTHORITY_UNUSABLE = 182, exit 1;
    /// More asks for the status of nodes wait than may wait.
    STATUS_ASKS_WAITING = 183, exit 1;
    /// A log file or journald cannot be written to.
    LOG_OUTPUT = 196, exit 1;
    /// Something failed that has no code of its own.
    INTERNAL = 199, exit 1;
}

/// The exit code of a command that fails with `code`.
pub fn exit_code(code: u16) -> u8 {
    ALL.iter().find(|(c, _)| *c == code).map_or(1, |(_, exit)| *exit)
}

/// The form in which people see a code.
pub fn name(code: u16) -> String {
    format!("OD-{code:03}")
}
