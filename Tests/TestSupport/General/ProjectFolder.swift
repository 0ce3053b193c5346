/// Where the package lies.
package enum ProjectFolder {
    /// Without a slash at its end.
    package static let path: String = {
        // This file is Tests/TestSupport/General/ProjectFolder.swift.
        "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    }()
}
