//! `#[actor]`: reads an `impl` block and writes the two traits that make it run.

mod method;

use method::{Constructor, Method};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, Ident, ImplItem, ItemImpl, LitStr, Result, Type};

/// What the marks in an `impl` block say.
struct Parts {
    name: LitStr,
    required: Vec<LitStr>,
    handlers: Vec<(Ident, Type)>,
    fallback: Option<Ident>,
    constructor: Option<(Ident, Constructor)>,
    check: Option<Ident>,
}

/// The `impl` block without its marks, and the implementations of `Actor` and `ActorType`.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let whole = item.clone();
    let mut block: ItemImpl = syn::parse2(item).map_err(|_| {
        Error::new_spanned(first_tokens(&whole), "expected `#[actor]` on an `impl` block of the actor's type")
    })?;
    let parts = read(arguments, &mut block)?;
    let implementations = implementations(&parts, &block.self_ty);
    Ok(quote! { #block #implementations })
}

/// The error for a `#[require_capability]` that `#[actor]` did not take away.
pub(crate) fn misplaced_requirement(arguments: &TokenStream) -> Error {
    Error::new_spanned(
        arguments,
        "`#[require_capability]` is not below an `#[actor]`, expected it between `#[actor]` and `impl`",
    )
}

/// An item's first few tokens: where to point when the item is of the wrong kind.
fn first_tokens(item: &TokenStream) -> TokenStream {
    item.clone().into_iter().take(2).collect()
}

fn read(arguments: TokenStream, block: &mut ItemImpl) -> Result<Parts> {
    let own_name = actor_ident(block)?;
    let mut parts = Parts {
        name: LitStr::new(&own_name.to_string(), own_name.span()),
        required: required(block)?,
        handlers: Vec::new(),
        fallback: None,
        constructor: None,
        check: None,
    };
    if let Some(name) = given_name(arguments)? {
        parts.name = name;
    }
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item
            && let Some(method) = Method::read(function)?
        {
            // A message is behind `&` whatever its type: `&String` is no slip here.
            function.attrs.push(syn::parse_quote!(#[allow(clippy::ptr_arg)]));
            parts.add(function.sig.ident.clone(), method)?;
        }
    }
    Ok(parts)
}

/// The last segment of the type that the block is for.
fn actor_ident(block: &ItemImpl) -> Result<Ident> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(Error::new_spanned(
            path,
            "found an implementation of a trait, expected an `impl` block of the actor's type",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(Error::new(
            block.generics.span(),
            "found a generic actor, expected a type without parameters: an actor's name stands for one type",
        ));
    }
    match &*block.self_ty {
        Type::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last().map(|s| s.ident.clone());
            last.ok_or_else(|| Error::new_spanned(&block.self_ty, "expected the name of the actor's type"))
        }
        other => Err(Error::new_spanned(other, "expected the name of the actor's type")),
    }
}

fn given_name(arguments: TokenStream) -> Result<Option<LitStr>> {
    let mut name: Option<LitStr> = None;
    let parser = syn::meta::parser(|meta| {
        if !meta.path.is_ident("name") {
            return Err(meta.error("expected `name = \"...\"`"));
        }
        let given: LitStr = meta.value()?.parse()?;
        if given.value().is_empty() {
            return Err(Error::new(given.span(), "the name is empty, expected the name of an actor"));
        }
        name = Some(given);
        Ok(())
    });
    parser.parse2(arguments)?;
    Ok(name)
}

/// Takes the `#[require_capability]` attributes off the block.
fn required(block: &mut ItemImpl) -> Result<Vec<LitStr>> {
    let mut names = Vec::new();
    for attribute in block.attrs.extract_if(.., |a| is_mark(a, "require_capability")) {
        let name: LitStr = attribute.parse_args().map_err(|e| {
            Error::new(
                e.span(),
                "expected the name of one capability, as in `#[require_capability(\"Has DB access\")]`",
            )
        })?;
        if name.value().is_empty() {
            return Err(Error::new(name.span(), "the name is empty, expected the name of a capability"));
        }
        names.push(name);
    }
    Ok(names)
}

/// Whether an attribute is the mark, with or without the crate's name in front.
fn is_mark(attribute: &syn::Attribute, mark: &str) -> bool {
    attribute.path().segments.last().is_some_and(|s| s.ident == mark)
        && (attribute.path().segments.len() == 1 || attribute.path().segments[0].ident == "odeon")
}

impl Parts {
    fn add(&mut self, name: Ident, method: Method) -> Result<()> {
        match method {
            Method::Handler(message) => {
                let text = quote!(#message).to_string();
                if let Some((first, _)) = self.handlers.iter().find(|(_, other)| quote!(#other).to_string() == text) {
                    let found =
                        format!("`{first}` already handles `{text}`, expected one handler for each message type");
                    return Err(Error::new_spanned(message, found));
                }
                self.handlers.push((name, *message));
                Ok(())
            }
            Method::Fallback => once(&mut self.fallback, name.clone(), &name, "fallback"),
            Method::Constructor(kind) => once(&mut self.constructor, (name.clone(), kind), &name, "constructor"),
            Method::Check => once(&mut self.check, name.clone(), &name, "capability_check"),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T, at: &Ident, mark: &str) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(Error::new(at.span(), format!("found a second `#[{mark}]`, expected one at most")));
    }
    Ok(())
}

fn implementations(parts: &Parts, actor: &Type) -> TokenStream {
    let Parts { name, required, .. } = parts;
    let receive = receive(parts, actor);
    let create = match &parts.constructor {
        None => quote_spanned! { actor.span() => Ok(<#actor as ::core::default::Default>::default()) },
        Some((new, Constructor::Plain)) => quote! { Ok(<#actor>::#new()) },
        Some((new, Constructor::Fallible)) => quote! { <#actor>::#new().map_err(::core::convert::Into::into) },
    };
    let check = match &parts.check {
        None => quote! { { let _ = (capabilities, requirements); true } },
        Some(check) => quote! { <#actor>::#check(capabilities, requirements) },
    };
    let checks = parts.check.is_some();
    quote! {
        #[automatically_derived]
        impl ::odeon::Actor for #actor { #receive }

        #[automatically_derived]
        impl ::odeon::ActorType for #actor {
            const NAME: &'static str = #name;
            const REQUIRED: &'static [&'static str] = &[#(#required),*];
            const CHECKS: bool = #checks;

            fn create() -> ::core::result::Result<Self, ::odeon::Failure> { #create }

            fn check(capabilities: &dyn ::odeon::CapabilityView, requirements: &::odeon::Requirements) -> bool {
                #check
            }
        }
    }
}

/// The body of `receive`: typed messages go straight through the handlers, untyped ones by way of their candidates.
fn receive(parts: &Parts, actor: &Type) -> TokenStream {
    let arms = parts.handlers.iter().map(|(handler, message)| {
        // The type's own span: when it is no message, the error points at the handler's argument.
        quote_spanned! { message.span() =>
            if let Some(value) = ::odeon::AnyMessage::get::<#message>(message) {
                return Some(::odeon::dispatch::Outcome::into_result(<#actor>::#handler(this, value, cx)));
            }
        }
    });
    let names = parts.handlers.iter().map(|(_, message)| {
        quote_spanned! { message.span() => <#message as ::odeon::Message>::NAME }
    });
    let fallback = match &parts.fallback {
        None => quote! { Ok(()) },
        Some(name) => quote! { ::odeon::dispatch::Outcome::into_result(<#actor>::#name(self, message, cx)) },
    };
    quote! {
        fn receive(
            &mut self,
            message: &::odeon::AnyMessage,
            cx: &mut ::odeon::Context,
        ) -> ::core::result::Result<(), ::odeon::Failure> {
            #[allow(unused_variables)]
            fn handled(
                this: &mut #actor,
                message: &::odeon::AnyMessage,
                cx: &mut ::odeon::Context,
            ) -> ::core::option::Option<::core::result::Result<(), ::odeon::Failure>> {
                #(#arms)*
                None
            }
            let handler = &mut |message: &::odeon::AnyMessage| handled(self, message, cx);
            if let Some(result) = ::odeon::dispatch::dispatch(message, &[#(#names),*], handler) {
                return result;
            }
            #fallback
        }
    }
}

#[cfg(test)]
mod tests;
