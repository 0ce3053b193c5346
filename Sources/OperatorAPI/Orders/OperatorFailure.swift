/// Why an operator's wish was not done, in words for the operator.
package struct OperatorFailure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) { self.description = description }
}
