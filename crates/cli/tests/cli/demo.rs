//! `demo`: five refreshes, as a table or as JSON.

use serde_json::json;

use crate::support::Run;

#[test]
fn the_table() {
    let done = Run::new(&["demo"]).done();
    assert_eq!(done.code, 0, "{}", done.stderr);
    let lines: Vec<&str> = done.stdout.lines().collect();
    for (line, parts) in lines[3..8].iter().zip([
        ["alix-card", "POST /api/v2/auth/refresh-token", "partnerCode|secretKey · RSA-SHA256", "in 1"],
        [
            "alix-on-off-ramp",
            "POST /api/v2/user-order/refresh-token",
            "partnerCode|email|secretKey · RSA-SHA256",
            "in 1",
        ],
        ["transak-user", "GET /api/v2/auth/refresh", "nothing", "in "],
        ["payby", "POST /sgs/api/oauth2/authz/refresh-token", "the body, byte for byte · RSA-SHA256", "in "],
        ["onboard", "POST /auth/oauth/refresh-token", "nothing", "in "],
    ]) {
        let cells: Vec<&str> = line.split(['│', '┆']).map(str::trim).collect();
        assert_eq!(cells[1..5], [parts[0], parts[1], parts[2], "granted"]);
        assert!(cells[5].starts_with(parts[3]) && cells[6] == "yes", "{line}");
    }
    assert!(lines[10].starts_with("Next: `rampauth sandbox --write demo`"), "{}", done.stdout);
    insta::assert_snapshot!(done.stderr, @r"
    making keys and starting the sandbox
    refreshing alix-card
    refreshing alix-on-off-ramp
    refreshing transak-user
    refreshing payby
    refreshing onboard
    ");
}

#[test]
fn the_document() {
    let demo = Run::new(&["demo", "--json"]).done().json();
    let rows = demo["rows"].as_array().expect("rows");
    let expected = [
        ("alix-card", "POST /api/v2/auth/refresh-token", Some("partnerCode|secretKey")),
        ("alix-on-off-ramp", "POST /api/v2/user-order/refresh-token", Some("partnerCode|email|secretKey")),
        ("transak-user", "GET /api/v2/auth/refresh", None),
        ("payby", "POST /sgs/api/oauth2/authz/refresh-token", Some("the body, byte for byte")),
        ("onboard", "POST /auth/oauth/refresh-token", None),
    ];
    assert_eq!(rows.len(), expected.len());
    for (row, (provider, call, signed)) in rows.iter().zip(expected) {
        let expiry = row["accessTokenExpiresAt"].as_str().expect("a time");
        assert!(expiry.len() == 20 && expiry.ends_with('Z'), "{expiry}");
        let algorithm = signed.map(|_| "RSA-SHA256");
        assert_eq!(
            *row,
            json!({"provider": provider, "call": call, "signed": signed, "algorithm": algorithm, "outcome": "granted",
                "accessTokenExpiresAt": expiry, "rotated": true})
        );
    }
}

#[test]
fn it_needs_no_configuration_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command =
        Run::new(&["demo", "--json", "--config", "nowhere.toml"]).env("TMPDIR", folder.path()).into_command();
    assert!(command.current_dir(folder.path()).output().expect("the binary runs").status.success());
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
