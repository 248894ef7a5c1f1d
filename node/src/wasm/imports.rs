//! What a component may import: the actor's interface, and the parts of WASI that a language's library needs to
//! start, and sockets where connections are granted. Anything else is refused by name when the image is loaded, not when
//! it is called.

use super::WasmError;
use odeon_sourceauth::Grants;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

const HOST: &str = "odeon:actor/host@0.1.0";
const TYPES: &str = "odeon:actor/types@0.1.0";

/// The functions of `host` in `actor/wit/actor.wit`.
const HOST_ITEMS: &[&str] = &[
    "address",
    "level",
    "message",
    "topic",
    "my-address",
    "send",
    "create",
    "wakeup-after",
    "cancel-wakeup",
    "defer",
    "resume-deferred",
    "exit",
    "capabilities",
    "update-capability",
    "watch",
    "register-source-authority",
    "log",
    "capability",
    "failed",
];

/// Interfaces of WASI 0.2 that may be imported. `wasi` says which of their functions do something.
const WASI: &[&str] = &[
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:filesystem/types",
    "wasi:filesystem/preopens",
];

/// What else may be imported where connections are granted. UDP is in it because libraries for TCP import it along; it
/// is denied when it is used.
const SOCKETS: &[&str] = &[
    "wasi:sockets/network",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Refuses a component that imports anything else.
pub(super) fn check(engine: &Engine, component: &Component, grants: &Grants) -> Result<(), WasmError> {
    let sockets = if grants.outbound.is_empty() { &[] } else { SOCKETS };
    for (name, import) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = import.ty else {
            return Err(WasmError::Import { name: name.to_owned() });
        };
        if name == HOST {
            let unknown = instance.exports(engine).find(|(item, _)| !HOST_ITEMS.contains(item));
            if let Some((item, _)) = unknown {
                return Err(WasmError::Import { name: format!("{name}#{item}") });
            }
        } else if name != TYPES && !is_wasi(name, WASI) && !is_wasi(name, sockets) {
            return Err(WasmError::Import { name: name.to_owned() });
        }
    }
    Ok(())
}

fn is_wasi(name: &str, interfaces: &[&str]) -> bool {
    name.split_once('@').is_some_and(|(name, version)| interfaces.contains(&name) && version.starts_with("0.2."))
}

/// What would let an import through, where something would.
pub(super) fn hint(name: &str) -> &'static str {
    if is_wasi(name, SOCKETS) { ": it needs `outbound` in the [grants] of its odeon.toml" } else { "" }
}
