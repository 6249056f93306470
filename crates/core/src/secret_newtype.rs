//! A type for each secret of a provider, so that no two can be swapped.

/// Declares a newtype over [`SecretString`] with a checked constructor; for the provider crates, so that no two of
/// their secrets can be swapped.
///
/// `check` is a `fn(&str) -> Result<(), &'static str>` whose error says what is wrong with the value.
#[doc(hidden)]
#[macro_export]
macro_rules! secret_newtype {
    ($(#[$doc:meta])* $name:ident, action: $action:literal, check: $check:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name($crate::SecretString);

        impl $name {
            /// Checks the value and takes it over.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Config`]($crate::ErrorKind::Config) when the value breaks the rules stated on the type;
            /// the error does not repeat it.
            pub fn new(value: impl Into<String>) -> Result<Self, $crate::Error> {
                let value = $crate::SecretString::new(value);
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(value.expose_secret()) {
                    Ok(()) => Ok(Self(value)),
                    Err(reason) => Err($crate::Error::config($action, reason)),
                }
            }

            /// The value itself.
            pub fn expose_secret(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}
