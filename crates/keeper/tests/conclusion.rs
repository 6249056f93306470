//! What an error of a refresh means for the record, kind by kind.

use rampauth_core::{Error, ErrorKind, Outcome, Presents, RefreshPolicy};
use rampauth_keeper::Conclusion;
use rampauth_keeper::policy::conclusion;

#[test]
fn what_an_error_means_for_the_record() {
    use Conclusion::{Dead, NotSent, Refused, Unknown};
    use ErrorKind as Kind;
    let transient = [Kind::RateLimited, Kind::Unreachable];
    // What a gateway on the way says as well.
    let of_the_caller = [Kind::Unauthorized, Kind::Forbidden, Kind::WrongEndpoint];
    let others = [
        Kind::Config,
        Kind::Input,
        Kind::Timeout,
        Kind::Interrupted,
        Kind::Server,
        Kind::Protocol,
        Kind::Untrusted,
        Kind::Internal,
    ];
    let refused = [Kind::Refused];
    // Of a provider that publishes no word for dead tokens, and of one that does; without and with a code of its own.
    let rows: [(&[Kind], Outcome, [Conclusion; 4]); 12] = [
        (&[Kind::LoginNeeded], Outcome::Refused, [Dead; 4]),
        (&[Kind::LoginNeeded], Outcome::NotSent, [Dead; 4]),
        (&transient, Outcome::NotSent, [NotSent; 4]),
        (&transient, Outcome::Refused, [NotSent; 4]),
        (&transient, Outcome::Unknown, [Unknown; 4]),
        (&of_the_caller, Outcome::Refused, [NotSent; 4]),
        (&of_the_caller, Outcome::NotSent, [NotSent; 4]),
        (&refused, Outcome::Refused, [NotSent, NotSent, Refused, NotSent]),
        (&refused, Outcome::NotSent, [NotSent; 4]),
        (&refused, Outcome::Unknown, [Unknown; 4]),
        (&others, Outcome::Refused, [NotSent; 4]),
        (&others, Outcome::Unknown, [Unknown; 4]),
    ];
    let unnamed = RefreshPolicy::new(Presents::RefreshToken);
    let named = unnamed.with_named_dead_tokens();
    for (kinds, outcome, expected) in rows {
        for kind in kinds {
            let bare = Error::new(*kind, outcome, "refresh", "a reason");
            let coded = bare.clone().with_provider_code("32");
            let found = [(&bare, &unnamed), (&bare, &named), (&coded, &unnamed), (&coded, &named)];
            assert_eq!(found.map(|(error, policy)| conclusion(error, policy)), expected, "{kind:?}, {outcome:?}");
        }
    }
    // A message is a word of the provider's too.
    let told = Error::new(Kind::Refused, Outcome::Refused, "refresh", "a reason").with_provider_message("no");
    assert_eq!(conclusion(&told, &unnamed), Refused);
    // One about the caller says nothing of the token.
    assert_eq!(conclusion(&told.with_provider_code("403").with_about_the_caller(), &unnamed), NotSent);
}
