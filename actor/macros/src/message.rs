//! `#[derive(Message)]`: the name of a type.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, LitStr, Result};

/// Names that other types have already, or that would be taken for the system's own.
const RESERVED: &[&str] = &["value", "string", "bool", "integer", "float", "null", "address"];

/// The implementation of `Message` for the type.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        let found = input.ident.to_string();
        return Err(Error::new(
            input.generics.span(),
            format!("`{found}` is generic, expected a type without parameters: a message's name stands for one type"),
        ));
    }
    let mut name = LitStr::new(&input.ident.to_string(), input.ident.span());
    for attribute in input.attrs.iter().filter(|a| a.path().is_ident("message")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("name") {
                return Err(meta.error("expected `name = \"...\"`"));
            }
            name = meta.value()?.parse()?;
            Ok(())
        })?;
    }
    check_name(&name)?;
    let ident = &input.ident;
    Ok(quote! {
        impl ::odeon::Message for #ident {
            const NAME: &'static str = #name;
        }
    })
}

fn check_name(name: &LitStr) -> Result<()> {
    let text = name.value();
    if text.is_empty() {
        return Err(Error::new(name.span(), "the name is empty, expected the name of a message"));
    }
    if RESERVED.contains(&text.as_str()) || text.starts_with("odeon.") {
        return Err(Error::new(name.span(), format!("the name {text:?} is one of the system's own, expected another")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(source: &str) -> std::result::Result<String, String> {
        let input = syn::parse_str(source).expect("the test's source parses");
        expand(&input).map(|t| t.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_name_is_the_types_own_unless_another_is_given() {
        assert!(expanded("struct Order { item: String }").unwrap().contains("= \"Order\""));
        assert!(expanded("#[message(name = \"shop.Order\")] struct Order;").unwrap().contains("= \"shop.Order\""));
    }

    #[test]
    fn a_generic_type_is_refused_by_name() {
        let error = expanded("struct Pair<T> { left: T }").unwrap_err();
        assert!(error.starts_with("`Pair` is generic, expected a type without parameters"), "{error}");
    }

    #[test]
    fn names_of_the_system_are_refused() {
        for name in ["value", "null", "odeon.WakeupMessage"] {
            let error = expanded(&format!("#[message(name = {name:?})] struct Mine;")).unwrap_err();
            assert!(error.contains("one of the system's own"), "{error}");
        }
        assert!(expanded("#[message(name = \"\")] struct Mine;").unwrap_err().contains("empty"));
        assert!(expanded("#[message(title = \"x\")] struct Mine;").unwrap_err().contains("expected `name"));
    }
}
