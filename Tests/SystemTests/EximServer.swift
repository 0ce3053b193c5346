import Foundation

/// Exim as `.ci/peers` unpacked it, with a configuration and a spool of its own.
///
/// It runs as the user `mail` when tests run as root, and as the tests' own user otherwise. Exim insists on a user that
/// its Debian package would have made; libnss-wrapper shows it one. It starts itself anew for each delivery, with a
/// cleaned environment, so what it starts is a script that sets the environment again.
final class EximServer: MailServer {
    let port: Int
    let maildir: String
    private let log: String
    private let passwordFile: String
    private let script: HeldScript

    /// Nil, after printing why the test is skipped, where Exim was not unpacked or does not start.
    ///
    /// - Parameter password: of the user `sluice`; mail is taken only from whoever logs in. Nil: from everybody.
    init?(_ directory: TemporaryDirectory, password: String? = nil) throws {
        let unpacked = Programs.root.appendingPathComponent(".run/exim/usr").path
        guard FileManager.default.isExecutableFile(atPath: unpacked + "/sbin/exim4") else {
            print("skipped: Exim is not in .run/exim; .ci/peers unpacks it there")
            return nil
        }
        port = try LoopbackPort.free()
        let folder = directory.path + "/exim"
        maildir = folder + "/home/mail"
        log = folder + "/home/mainlog"
        passwordFile = folder + "/home/password"
        try FileManager.default.createDirectory(atPath: folder + "/home/spool", withIntermediateDirectories: true)
        // The repository may lie where Exim's user cannot reach it.
        try Programs.run("/bin/cp", ["-R", unpacked, folder + "/usr"])
        let user: (id: uid_t, group: gid_t) = geteuid() == 0 ? (8, 8) : (geteuid(), getegid())
        let program = try Self.writeProgram(folder, user: user.id, group: user.group)
        let certificate = try ServerCertificate(in: folder + "/home")
        if let password { try password.write(toFile: passwordFile, atomically: false, encoding: .utf8) }
        let login = password == nil ? nil : passwordFile
        try Self.settings(folder, program, certificate, login: login).write(
            toFile: folder + "/exim.conf", atomically: false, encoding: .utf8)
        if geteuid() == 0 { try Programs.run("/bin/chown", ["-R", "\(user.id):\(user.group)", folder + "/home"]) }

        let probe = try Programs.finish(program, ["-C", folder + "/exim.conf", "-bV"])
        guard probe.status == 0 else {
            print("skipped: Exim does not start: \(probe.errors)")
            return nil
        }
        script = try HeldScript(
            #""$1" -C "$2" -bdf -oX "$3" & server=$!; cat "$4"; kill $server; wait"#,
            [program, folder + "/exim.conf", "127.0.0.1:\(port)"], log: folder + "/script.log")
        try waitForPort(seconds: 30)
    }

    func stop() { script.end() }

    /// Logins need this password from now on.
    func change(password: String) throws {
        try password.write(toFile: passwordFile, atomically: false, encoding: .utf8)
    }

    func acceptedCount() throws -> Int {
        try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").count { $0.contains(" <= ") }
    }

    /// - Returns: the path of the script that stands for Exim.
    private static func writeProgram(_ folder: String, user: uid_t, group: gid_t) throws -> String {
        func write(_ name: String, _ text: String) throws {
            try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
        }
        try write(
            "passwd",
            "root:x:0:0::/:/bin/sh\nmail:x:\(user):\(group)::/:/bin/sh\nDebian-exim:x:\(user):\(group)::/:/bin/sh\n")
        try write("group", "root:x:0:\nmail:x:\(group):\nDebian-exim:x:\(group):\n")
        try write(
            "exim",
            """
            #!/bin/sh
            libraries=$(dirname "$(find \(folder)/usr/lib -name libnss_wrapper.so)")
            export LD_LIBRARY_PATH="$libraries" LD_PRELOAD="$libraries/libnss_wrapper.so"
            export NSS_WRAPPER_PASSWD=\(folder)/passwd NSS_WRAPPER_GROUP=\(folder)/group
            exec \(folder)/usr/sbin/exim4 "$@"

            """)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/exim")
        return folder + "/exim"
    }

    /// Chapters 14 and 34 of Exim's specification. Only what comes over TLS for our domains is taken.
    ///
    /// - Parameter login: file of the password that is asked for; nil to ask for none.
    private static func settings(
        _ folder: String, _ program: String, _ certificate: ServerCertificate, login: String?
    ) -> String {
        """
        exim_path = \(program)
        spool_directory = \(folder)/home/spool
        log_file_path = \(folder)/home/%slog
        pid_file_path = \(folder)/home/exim.pid
        primary_hostname = exim.example.net
        keep_environment =
        deliver_drop_privilege
        never_users = root
        host_lookup =
        tls_advertise_hosts = *
        tls_certificate = \(certificate.certificate)
        tls_privatekey = \(certificate.key)
        smtputf8_advertise_hosts = *
        smtp_accept_max = 200
        smtp_accept_queue_per_connection = 0
        domainlist ours = \(domains.joined(separator: " : "))
        acl_smtp_rcpt = recipients
        begin acl
        recipients:
          accept domains = +ours
                 encrypted = *
        \(login == nil ? "" : "         authenticated = *")
          deny
        begin routers
        boxes:
          driver = accept
          domains = +ours
          transport = box
        begin transports
        box:
          driver = appendfile
          directory = \(folder)/home/mail
          maildir_format
          create_directory
          envelope_to_add
          return_path_add
          user = mail
          group = mail
        begin retry
        * * F,1h,1s
        \(authenticators(login))

        """
    }

    private static func authenticators(_ login: String?) -> String {
        guard let login else { return "" }
        return #"""
            begin authenticators
            plain:
              driver = plaintext
              public_name = PLAIN
              server_prompts = :
              server_advertise_condition = ${if def:tls_in_cipher}
              server_condition = ${if and{{eq{$auth2}{sluice}}{eq{$auth3}{${readfile{\#(login)}{}}}}}}
              server_set_id = $auth2
            """#
    }
}
