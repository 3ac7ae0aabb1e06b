import Testing

@testable import Methods
