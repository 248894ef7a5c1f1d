//! `export!`: which actor types an image or a program offers.

/// Offers these actor types by their names.
///
/// In a program it is a function `registry()` that a base or a node takes; built for wasm it makes the crate an
/// image's component as well. Once per crate, at its root.
///
/// ```
/// use odeon::actor;
///
/// #[derive(Default)]
/// struct Quiet;
///
/// #[actor]
/// impl Quiet {}
///
/// odeon::export!(Quiet);
///
/// # fn main() {
/// assert_eq!(registry().iter().map(|d| d.name.to_string()).collect::<Vec<_>>(), ["Quiet"]);
/// # }
/// ```
#[macro_export]
macro_rules! export {
    ($($actor:ty),+ $(,)?) => {
        /// The actor types of this crate, by name.
        pub fn registry() -> $crate::Registry {
            $crate::Registry::new()$(.with::<$actor>())+
        }

        #[cfg(target_family = "wasm")]
        const ODEON_OFFERS: &[$crate::guest::Offer] = &[$($crate::guest::Offer::of::<$actor>()),+];

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, missing_docs, unreachable_pub)]
        mod odeon_image {
            struct Image;

            impl $crate::guest::Image for Image {
                const OFFERS: &'static [$crate::guest::Offer] = super::ODEON_OFFERS;
            }

            $crate::guest::bindings::export_image!(Image with_types_in $crate::guest::bindings);
        }
    };
}
