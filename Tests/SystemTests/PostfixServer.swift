import Foundation

/// Postfix with a configuration, a queue and a log of its own.
final class PostfixServer: MailServer {
    let port: Int
    let maildir: String
    private let log: String
    private let script: HeldScript

    /// Mail to this domain is taken, and refused by the host behind it: then Postfix writes a report.
    static let deadDomain = "dead.example"

    /// Where reports go.
    struct ReturnPath {
        let domain: String
        let port: Int
    }

    /// Nil, after printing why the test is skipped, where Postfix is missing or cannot run.
    ///
    /// - Parameter returnPath: the only place to which mail leaves; nil: none does.
    init?(_ directory: TemporaryDirectory, returnPath: ReturnPath? = nil) throws {
        guard let postfix = Programs.find("/usr/sbin/postfix") else {
            print("skipped: Postfix is not installed")
            return nil
        }
        guard geteuid() == 0 else {
            print("skipped: only root can start Postfix")
            return nil
        }
        port = try LoopbackPort.free()
        let folder = directory.path + "/postfix"
        maildir = folder + "/mail/all"
        log = folder + "/mail.log"
        for name in ["conf", "queue", "data", "mail"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        try Programs.run("/bin/chown", ["postfix", folder + "/data"])
        try Programs.run("/bin/chown", ["mail:mail", folder + "/mail"])
        let certificate = try ServerCertificate(in: folder + "/conf")
        var settings = Self.settings(folder, certificate)
        var services = Self.services(port: port)
        if let returnPath {
            let next = try LoopbackPort.free()
            settings += Self.settings(returnPath, next: next)
            services += Self.services(next: next)
        }
        try settings.write(toFile: folder + "/conf/main.cf", atomically: false, encoding: .utf8)
        try services.write(toFile: folder + "/conf/master.cf", atomically: false, encoding: .utf8)
        script = try HeldScript(
            #""$1" -c "$2" start && cat "$3"; "$1" -c "$2" stop"#, [postfix, folder + "/conf"],
            log: folder + "/script.log")
        try waitForPort(seconds: 30)
    }

    func stop() { script.end() }

    func acceptedCount() throws -> Int {
        try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
            .count { $0.contains("/smtpd[") && $0.contains(": client=") }
    }

    /// postconf(5). Nothing leaves: all other transports are `error`.
    private static func settings(_ folder: String, _ certificate: ServerCertificate) -> String {
        """
        compatibility_level = 3.6
        queue_directory = \(folder)/queue
        data_directory = \(folder)/data
        maillog_file = \(folder)/mail.log
        maillog_file_prefixes = \(folder)
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        myhostname = postfix.example.net
        mydestination =
        mynetworks =
        alias_maps =
        alias_database =
        local_transport = error:no local mail
        relay_transport = error:no mail leaves
        default_transport = error:no mail leaves
        virtual_mailbox_domains = \(domains.joined(separator: ", "))
        virtual_mailbox_base = \(folder)/mail
        virtual_mailbox_maps = static:all/
        virtual_minimum_uid = 1
        virtual_uid_maps = static:8
        virtual_gid_maps = static:8
        smtpd_recipient_restrictions = permit_auth_destination, reject
        smtpd_peername_lookup = no
        smtpd_tls_security_level = encrypt
        smtpd_tls_cert_file = \(certificate.certificate)
        smtpd_tls_key_file = \(certificate.key)
        smtpd_tls_received_header = yes
        smtpd_tls_loglevel = 1

        """
    }

    /// master(5)
    private static func services(port: Int) -> String {
        """
        127.0.0.1:\(port) inet n - n - - smtpd
        pickup unix n - n 60 1 pickup
        cleanup unix n - n - 0 cleanup
        qmgr unix n - n 300 1 qmgr
        tlsmgr unix - - n 1000? 1 tlsmgr
        rewrite unix - - n - - trivial-rewrite
        bounce unix - - n - 0 bounce
        defer unix - - n - 0 bounce
        trace unix - - n - 0 bounce
        flush unix n - n 1000? 0 flush
        proxymap unix - - n - - proxymap
        showq unix n - n - - showq
        error unix - - n - - error
        virtual unix - n n - - virtual
        anvil unix - - n - 1 anvil
        postlog unix-dgram n - n - 1 postlogd

        """
    }

    private static func settings(_ returnPath: ReturnPath, next: Int) -> String {
        """
        relay_domains = \(deadDomain)
        transport_maps = inline:{{\(deadDomain) = smtp:[127.0.0.1]:\(next)}, {\(returnPath.domain) = smtp:[127.0.0.1]:\(returnPath.port)}}
        smtp_tls_security_level = encrypt
        smtp_tls_loglevel = 1

        """
    }

    /// The host behind knows one recipient, and refuses all others.
    private static func services(next: Int) -> String {
        """
        smtp unix - - n - - smtp
        127.0.0.1:\(next) inet n - n - - smtpd
          -o myhostname=next.example.net
          -o relay_recipient_maps=inline:{nobody@\(deadDomain)=x}

        """
    }
}
