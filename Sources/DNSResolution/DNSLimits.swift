/// What one name may make the resolver do.
enum DNSLimits {
    /// Mail hosts of a domain that are looked up, the best first. RFC 5321 §5.1 asks for at least two to be tried.
    static let mailHosts = 16
    /// Addresses of a host that are kept, of each family.
    static let addresses = 8
    /// Aliases (CNAME) between a name and its records.
    static let aliases = 8
    /// Records of one answer that are read.
    static let records = 256
}
