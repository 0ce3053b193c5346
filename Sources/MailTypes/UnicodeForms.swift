internal import Foundation

extension String {
    /// Normalisation form KC (UAX 15): one spelling for text that differs only in width or composition.
    package var compatibilityComposed: String { precomposedStringWithCompatibilityMapping }

    /// Normalisation form C: one spelling for text that differs only in composition.
    var composed: String { precomposedStringWithCanonicalMapping }
}
