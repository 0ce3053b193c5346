package import Postgres

/// The tables of API keys, idempotency keys, users and sessions. They follow the ledger's, whose accounts they refer to.
package enum IdentitySchema {
    /// Versions 200–299, 710–729, 731, 738, 743, 749, 750 and 755–757.
    ///
    /// The hash of a key is unique over all accounts and is looked up before the account is known, so it has a table of
    /// its own.
    package static let migrations = [
        Migration(version: 200, name: "API keys and idempotency keys", file: PackageResources._00_keys_sql),
        Migration(version: 710, name: "what a key is for", file: PackageResources._10_key_terms_sql),
        Migration(version: 711, name: "limits of requests", file: PackageResources._11_request_limits_sql),
        Migration(version: 720, name: "users", file: PackageResources._20_users_sql),
        Migration(version: 721, name: "sessions", file: PackageResources._21_sessions_sql),
        Migration(version: 722, name: "attempts to sign in", file: PackageResources._22_sign_in_attempts_sql),
        Migration(version: 727, name: "second factors", file: PackageResources._27_second_factors_sql),
        Migration(version: 728, name: "limits of people's requests", file: PackageResources._28_user_requests_sql),
        Migration(version: 723, name: "invitations", file: PackageResources._23_invitations_sql),
        Migration(version: 724, name: "codes by mail", file: PackageResources._24_mail_codes_sql),
        Migration(version: 731, name: "isolated keys", file: PackageResources._31_isolated_keys_sql),
        Migration(version: 738, name: "isolated people", file: PackageResources._38_isolated_people_sql),
        Migration(
            version: 743, name: "isolated second factors", file: PackageResources._43_isolated_second_factors_sql),
        Migration(version: 749, name: "isolated members", file: PackageResources._49_isolated_members_sql),
        Migration(version: 750, name: "sign-ups", file: PackageResources._50_sign_ups_sql),
        Migration(version: 755, name: "origins of sessions", file: PackageResources._55_session_origins_sql),
        Migration(
            version: 756, name: "demanded second factors", file: PackageResources._56_demanded_second_factors_sql),
        Migration(
            version: 757, name: "old changes of second factors", file: PackageResources._57_old_factor_changes_sql),
    ]
}
