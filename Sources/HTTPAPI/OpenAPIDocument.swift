/// The description of the API, docs/openapi.yaml, as the server gives it out.
package enum OpenAPIDocument {
    package static let text = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)
}
