//! The attribute and derive macros of the actor SDK; used through `odeon`, which re-exports them.
//!
//! Owns the expansion and its error messages. What the expansion calls lives in `odeon`: the macros hold no
//! behaviour of their own. Start with `actor::expand`.

mod actor;
mod message;

use proc_macro::TokenStream;

/// The derive macro that `odeon` hands on as `odeon::Message`, and explains there.
#[proc_macro_derive(Message, attributes(message))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    message::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// The attribute that `odeon` hands on as `odeon::actor`, and explains there.
#[proc_macro_attribute]
pub fn actor(arguments: TokenStream, item: TokenStream) -> TokenStream {
    actor::expand(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Names a capability that must be true wherever the actor is to live: written below [`macro@actor`], which reads it.
#[proc_macro_attribute]
pub fn require_capability(arguments: TokenStream, _item: TokenStream) -> TokenStream {
    actor::misplaced_requirement(&arguments.into()).into_compile_error().into()
}
