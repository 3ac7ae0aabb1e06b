import Testing

@testable import Evolution
