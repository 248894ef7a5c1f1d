//! The attribute and derive macros of the actor SDK; used through `odeon`, which re-exports them.
//!
//! Owns the expansion and its error messages. What the expansion calls lives in `odeon`: the macros hold no
//! behaviour of their own. Start with `actor::expand`.

mod actor;
mod message;

use proc_macro::TokenStream;

/// Gives a type a name by which it can be sent.
///
/// The name is the type's own, without its module; `#[message(name = "shop.Order")]` chooses another. The type must
/// be `Serialize` and `Deserialize`, and cannot be generic: one name stands for one type.
///
/// ```
/// use odeon::Message;
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// struct Order {
///     item: String,
/// }
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// #[message(name = "shop.Receipt")]
/// struct Receipt(u32);
///
/// assert_eq!(Order::NAME, "Order");
/// assert_eq!(Receipt::NAME, "shop.Receipt");
/// ```
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    message::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a type an actor: its messages go to its handlers by their type.
///
/// On an `impl` block of a type. The methods in it that carry one of these marks are called by the actor system:
///
/// | mark | signature | called |
/// | --- | --- | --- |
/// | `#[handler]` | `fn(&mut self, message: &M, cx: &mut Context)` | for a message of type `M` |
/// | `#[fallback]` | `fn(&mut self, message: &AnyMessage, cx: &mut Context)` | for a message that no handler takes |
/// | `#[constructor]` | `fn() -> Self` or `fn() -> Result<Self, E>` | to build one; else `Default` does |
/// | `#[capability_check]` | `fn(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool` | to ask whether a node may host one |
///
/// A handler or fallback returns nothing, or `Result<(), E>` with any error type: an error, like a panic, rebuilds
/// the actor and gives it the message once more. Handlers are tried in the order of the source. A message that none
/// takes is ignored when there is no fallback.
///
/// An untyped value, as a shell sends it, goes to the first handler whose message type it decodes as. A map of one
/// key that is the name of a handler's message chooses that handler: `{"Greet": {"name": "Ada"}}`.
///
/// Below this attribute, `#[require_capability("Has DB access")]` names a capability that must be true wherever the
/// actor is to live. It can be given more than once, and joins with the `#[capability_check]`.
///
/// The name of the actor is the type's own, without its module; `#[actor(name = "...")]` chooses another.
///
/// ```
/// use odeon::{Actor, ActorType, AnyMessage, CapabilityView, Context, Message, Requirements, actor};
///
/// #[derive(serde::Serialize, serde::Deserialize, Message)]
/// struct Greet {
///     name: String,
/// }
///
/// #[derive(Default)]
/// struct Greeter {
///     greeted: u64,
/// }
///
/// #[actor]
/// #[require_capability("Speaks English")]
/// impl Greeter {
///     #[handler]
///     fn greet(&mut self, message: &Greet, cx: &mut Context) {
///         self.greeted += 1;
///         cx.reply(format!("Hello, {}", message.name));
///     }
///
///     #[fallback]
///     fn other(&mut self, message: &AnyMessage, cx: &mut Context) {
///         cx.warn(format!("a {} is nothing to greet", message.name()));
///     }
///
///     #[capability_check]
///     fn check(capabilities: &dyn CapabilityView, _: &Requirements) -> bool {
///         !capabilities.is_true("draining")
///     }
/// }
///
/// assert_eq!(Greeter::NAME, "Greeter");
/// assert_eq!(Greeter::REQUIRED, ["Speaks English"]);
/// ```
#[proc_macro_attribute]
pub fn actor(arguments: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Names a capability that must be true wherever the actor is to live: written below [`macro@actor`], which reads it.
#[proc_macro_attribute]
pub fn require_capability(arguments: TokenStream, _item: TokenStream) -> TokenStream {
    actor::misplaced_requirement(&arguments.into()).into_compile_error().into()
}
