//! One marked method of an actor: which mark it has, and whether its signature is what the mark asks for.

use super::is_mark;
use syn::spanned::Spanned;
use syn::{Error, FnArg, ImplItemFn, Result, ReturnType, Signature, Type};

/// What a method is for.
pub(super) enum Method {
    /// Handles messages of this type.
    Handler(Box<Type>),
    /// Handles what no handler takes.
    Fallback,
    /// Builds the actor.
    Constructor(Constructor),
    /// Says whether a node may host the actor.
    Check,
}

/// What a constructor returns.
pub(super) enum Constructor {
    /// `Self`.
    Plain,
    /// `Result<Self, E>`.
    Fallible,
}

const MARKS: [&str; 4] = ["handler", "fallback", "constructor", "capability_check"];
const HANDLER: &str = "expected `fn(&mut self, message: &M, cx: &mut Context)`";
const FALLBACK: &str = "expected `fn(&mut self, message: &AnyMessage, cx: &mut Context)`";
const CONSTRUCTOR: &str = "expected `fn() -> Self` or `fn() -> Result<Self, E>`";
const CHECK: &str = "expected `fn(capabilities: &dyn CapabilityView, requirements: &Requirements) -> bool`";

impl Method {
    /// Takes the mark off a method and checks its signature; none for a method without a mark.
    pub(super) fn read(function: &mut ImplItemFn) -> Result<Option<Method>> {
        let mut found = None;
        for attribute in function.attrs.extract_if(.., |a| MARKS.iter().any(|m| is_mark(a, m))) {
            attribute.meta.require_path_only()?;
            if found.is_some() {
                return Err(Error::new_spanned(attribute, "found a second mark on one method, expected one at most"));
            }
            found = MARKS.iter().position(|m| is_mark(&attribute, m));
        }
        let signature = &function.sig;
        Ok(Some(match found {
            None => return Ok(None),
            Some(0) => Method::Handler(Box::new(handler(signature)?)),
            Some(1) => fallback(signature)?,
            Some(2) => Method::Constructor(constructor(signature)?),
            Some(_) => check(signature)?,
        }))
    }
}

fn handler(signature: &Signature) -> Result<Type> {
    let message = received(signature, HANDLER)?;
    if last_segment_is(message, "AnyMessage") {
        return Err(Error::new_spanned(
            message,
            "found a handler of `AnyMessage`, expected the mark `#[fallback]` for it",
        ));
    }
    Ok(message.clone())
}

fn fallback(signature: &Signature) -> Result<Method> {
    let message = received(signature, FALLBACK)?;
    if !last_segment_is(message, "AnyMessage") {
        let problem = "found a fallback of one message type, expected `&AnyMessage`, or the mark `#[handler]`";
        return Err(Error::new_spanned(message, problem));
    }
    Ok(Method::Fallback)
}

/// The message type of a method that is handed messages.
fn received<'a>(signature: &'a Signature, expected: &str) -> Result<&'a Type> {
    plain(signature, expected)?;
    let mut inputs = signature.inputs.iter();
    let Some(FnArg::Receiver(_)) = inputs.next() else {
        return Err(Error::new_spanned(&signature.ident, format!("found no `&mut self`, {expected}")));
    };
    let (Some(FnArg::Typed(message)), Some(FnArg::Typed(cx)), None) = (inputs.next(), inputs.next(), inputs.next())
    else {
        let found = signature.inputs.len();
        return Err(Error::new_spanned(&signature.inputs, format!("found {found} arguments, {expected}")));
    };
    let Type::Reference(reference) = &*message.ty else {
        return Err(Error::new_spanned(&message.ty, format!("found a message that is not behind `&`, {expected}")));
    };
    if let Some(mutable) = &reference.mutability {
        return Err(Error::new(mutable.span(), format!("found a mutable message, {expected}")));
    }
    if !matches!(&*cx.ty, Type::Reference(r) if last_segment_is(&r.elem, "Context")) {
        return Err(Error::new_spanned(&cx.ty, format!("found another type than `&mut Context`, {expected}")));
    }
    Ok(&reference.elem)
}

fn constructor(signature: &Signature) -> Result<Constructor> {
    plain(signature, CONSTRUCTOR)?;
    if !signature.inputs.is_empty() {
        let found = signature.inputs.len();
        return Err(Error::new_spanned(&signature.inputs, format!("found {found} arguments, {CONSTRUCTOR}")));
    }
    match &signature.output {
        ReturnType::Default => Err(Error::new_spanned(&signature.ident, format!("found no result, {CONSTRUCTOR}"))),
        ReturnType::Type(_, output) if last_segment_is(output, "Result") => Ok(Constructor::Fallible),
        ReturnType::Type(..) => Ok(Constructor::Plain),
    }
}

fn check(signature: &Signature) -> Result<Method> {
    plain(signature, CHECK)?;
    let typed = signature.inputs.iter().all(|a| matches!(a, FnArg::Typed(_)));
    if !typed || signature.inputs.len() != 2 {
        return Err(Error::new_spanned(&signature.inputs, format!("found other arguments, {CHECK}")));
    }
    if matches!(&signature.output, ReturnType::Default) {
        return Err(Error::new_spanned(&signature.ident, format!("found no result, {CHECK}")));
    }
    Ok(Method::Check)
}

/// Refuses what no marked method can be.
fn plain(signature: &Signature, expected: &str) -> Result<()> {
    if let Some(token) = &signature.asyncness {
        return Err(Error::new(token.span, format!("found an async method, {expected}")));
    }
    let types = signature.generics.type_params().next().is_some() || signature.generics.const_params().next().is_some();
    if types {
        return Err(Error::new(signature.generics.span(), format!("found a generic method, {expected}")));
    }
    Ok(())
}

fn last_segment_is(found: &Type, name: &str) -> bool {
    matches!(found, Type::Path(p) if p.path.segments.last().is_some_and(|s| s.ident == name))
}
