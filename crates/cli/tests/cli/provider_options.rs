//! Settings of one provider alone, as its request carries them.

use rampauth_test_kit::scripted::{Script, ScriptedServer, response};

use crate::support::{Home, profiles};

/// The request of a refresh of this profile with one more line in it.
fn request(profile: &str, line: &str) -> String {
    let server = ScriptedServer::start(Script::Raw(response(400, &[], b"{}")));
    let section = format!("[profile.{profile}]\n");
    let home = Home::new(&profiles(&server.url()).replace(&section, &format!("{section}{line}\n")));
    home.run(&["refresh", profile]).stdin(r#"{"refreshToken":"r"}"#).done();
    String::from_utf8_lossy(&server.assert_exactly_one_request().raw).into_owned()
}

#[test]
fn alix_card_takes_the_email_of_the_user() {
    let with = request("card", "user_email = \"jane@example.com\"");
    assert!(with.contains(r#""userEmail":"jane@example.com""#), "{with}");
    assert!(!request("card", "").contains("userEmail"), "left out unless set");
}

#[test]
fn payby_takes_a_language() {
    let with = request("payby", "content_language = \"en\"");
    assert!(with.to_ascii_lowercase().contains("\r\ncontent-language: en\r\n"), "{with}");
    assert!(!request("payby", "").to_ascii_lowercase().contains("content-language"), "left out unless set");
}
