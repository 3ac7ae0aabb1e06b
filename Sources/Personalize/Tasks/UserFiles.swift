import JSON

// Readers of files in the shapes of the LaMP data that the authors' scripts read. Ids may be integers or texts.

/// The most bytes a file of users may have.
private let largestFile = 1 << 30
private let mostItems = 100_000
private let longestID = 256

/// Users from a list of user objects, one user object, or JSON Lines of them.
///
/// - Parameters:
///   - bytes: `{"user_id", "profile": [items], "query": [{"id", "input", "gold"?}]?, "profile_text"?}` or several.
///   - file: the file's name, for errors.
/// - Returns: every user with what it holds or why it cannot be used: one mistake stands in no other user's way.
/// - Throws: where it cannot be told whose a mistake is.
public func readUsers(
    _ bytes: [UInt8], file: String
) throws(TaskError) -> [(id: String, user: Result<User, TaskError>)] {
    var users: [(id: String, user: Result<User, TaskError>)] = []
    var seen: Set<String> = []
    try eachElement(bytes, file) { value throws(TaskError) in
        let numbered = "\(file): user \(users.count + 1)"
        let member = try object(value, numbered)
        let id = try id(member, "user_id", numbered)
        let place = "\(file): user \(printable(id))"
        try requireNew(id, in: &seen, place: place, what: "user_id")
        users.append((id, Result { () throws(TaskError) in try user(member, id: id, place: place) }))
    }
    guard !users.isEmpty else {
        throw TaskError(.missingField, file, found: "no user", remedy: "give at least one user object")
    }
    return users
}

/// A history from a list of items, JSON Lines of them, or the `profile` of one user object.
public func readHistory(_ bytes: [UInt8], file: String) throws(TaskError) -> [HistoryItem] {
    var items: [HistoryItem] = []
    var seen: Set<String> = []
    var isFirst = true
    try eachElement(bytes, file) { value throws(TaskError) in
        let member = try object(value, "\(file): item \(items.count + 1)")
        defer { isFirst = false }
        if isFirst, case .list(let list) = member["profile"] {
            for value in list { try appendItem(value, to: &items, &seen, place: file) }
        } else {
            try appendItem(value, to: &items, &seen, place: file)
        }
    }
    return try requireHistory(items, place: file)
}

/// Queries from a list, JSON Lines, or the `query` of one user object.
public func readQueries(_ bytes: [UInt8], file: String) throws(TaskError) -> [Query] {
    var queries: [Query] = []
    var seen: Set<String> = []
    var isFirst = true
    try eachElement(bytes, file) { value throws(TaskError) in
        let member = try object(value, "\(file): query \(queries.count + 1)")
        defer { isFirst = false }
        if isFirst, case .list(let list) = member["query"] {
            for value in list { try appendQuery(value, to: &queries, &seen, place: file) }
        } else {
            try appendQuery(value, to: &queries, &seen, place: file)
        }
    }
    return queries
}

/// Profile texts by user id: `{"USER": "text"}`.
public func readProfiles(_ bytes: [UInt8], file: String) throws(TaskError) -> [String: String] {
    let member = try object(try document(bytes, file), file)
    var profiles: [String: String] = [:]
    for (user, value) in member.members {
        guard case .string(let text) = value else {
            throw wrongType(value, "a text", "\(file): user \(printableKey(user))")
        }
        profiles[user] = text
    }
    return profiles
}

// MARK: - Objects

private func user(_ member: JSONObject, id: String, place: String) throws(TaskError) -> User {
    try requireKeys(member, among: ["user_id", "profile", "query", "profile_text"], place: place)
    guard let profile = member["profile"] else { throw missing("profile", place) }

    var items: [HistoryItem] = []
    var itemIDs: Set<String> = []
    for value in try list(profile, "\(place): profile") { try appendItem(value, to: &items, &itemIDs, place: place) }
    var queries: [Query] = []
    var queryIDs: Set<String> = []
    if let query = member["query"] {
        for value in try list(query, "\(place): query") {
            try appendQuery(value, to: &queries, &queryIDs, place: place)
        }
    }
    return User(
        id: id, history: try requireHistory(items, place: place), queries: queries,
        profile: member["profile_text"] == nil ? nil : try text(member, "profile_text", place))
}

private func appendItem(
    _ value: JSONValue, to items: inout [HistoryItem], _ seen: inout Set<String>, place: String
) throws(TaskError) {
    let numbered = "\(place): item \(items.count + 1)"
    guard items.count < mostItems else { throw tooMany(numbered) }
    let member = try object(value, numbered)
    let id = try id(member, "id", numbered)
    let named = "\(place): item \(printable(id))"
    try requireNew(id, in: &seen, place: named, what: "id")
    var fields: [String: String] = [:]
    for (name, value) in member.members where name != "id" && value != .null {
        guard let text = value.text else {
            throw wrongType(value, "a text or a number", "\(named): field \(printableKey(name))")
        }
        fields[name] = text
    }
    items.append(HistoryItem(id: id, fields: fields))
}

private func appendQuery(
    _ value: JSONValue, to queries: inout [Query], _ seen: inout Set<String>, place: String
) throws(TaskError) {
    let numbered = "\(place): query \(queries.count + 1)"
    guard queries.count < mostItems else { throw tooMany(numbered) }
    let member = try object(value, numbered)
    try requireKeys(member, among: ["id", "input", "gold"], place: numbered)
    let id = try id(member, "id", numbered)
    let named = "\(place): query \(printable(id))"
    try requireNew(id, in: &seen, place: named, what: "id")
    guard case .string(let input) = member["input"] else {
        guard let value = member["input"] else { throw missing("input", named) }
        throw wrongType(value, "a text", "\(named): field input")
    }
    // Data has right answers for whoever scores the predictions.
    if member["gold"] != nil { _ = try text(member, "gold", named) }
    queries.append(Query(id: id, input: input))
}

// MARK: - Values

private func eachElement(
    _ bytes: [UInt8], _ file: String, _ body: (JSONValue) throws(TaskError) -> Void
) throws(TaskError) {
    try requireSize(bytes, file)
    var reader = try reading { () throws(JSONError) in try JSONReader(bytes, file: file) }
    while let value = try reading({ () throws(JSONError) in try reader.next() }) { try body(value) }
}

private func document(_ bytes: [UInt8], _ file: String) throws(TaskError) -> JSONValue {
    try requireSize(bytes, file)
    return try reading { () throws(JSONError) in
        var reader = try JSONReader(bytes, file: file)
        return try reader.document()
    }
}

/// Calls the JSON reader and says in the module's own words what was wrong.
func reading<Value>(_ body: () throws(JSONError) -> Value) throws(TaskError) -> Value {
    do { return try body() } catch { throw TaskError(error) }
}

private func requireSize(_ bytes: [UInt8], _ file: String) throws(TaskError) {
    guard bytes.count <= largestFile else {
        throw TaskError(
            .tooLarge, file, found: "\(bytes.count) bytes", remedy: "split it into files of at most \(largestFile)")
    }
}

private func object(_ value: JSONValue, _ place: String) throws(TaskError) -> JSONObject {
    guard case .object(let member) = value else { throw wrongType(value, "an object", place) }
    return member
}

private func list(_ value: JSONValue, _ place: String) throws(TaskError) -> [JSONValue] {
    guard case .list(let values) = value else { throw wrongType(value, "a list", place) }
    return values
}

private func text(_ member: JSONObject, _ key: String, _ place: String) throws(TaskError) -> String {
    guard let value = member[key] else { throw missing(key, place) }
    guard let text = value.text else { throw wrongType(value, "a text or a number", "\(place): field \(key)") }
    return text
}

private func id(_ member: JSONObject, _ key: String, _ place: String) throws(TaskError) -> String {
    let field = "\(place): field \(key)"
    guard let value = member[key] else { throw missing(key, place) }
    guard let id = value.text, !isFraction(value) else { throw wrongType(value, "a text or an integer", field) }
    let isPrintable = id.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard !id.isEmpty, id.utf8.count <= longestID, isPrintable else {
        throw TaskError(
            .badID, field, found: "an id that is empty, longer than \(longestID) bytes or has control characters",
            remedy: "give a short name or an integer")
    }
    return id
}

private func isFraction(_ value: JSONValue) -> Bool {
    guard case .number(let text) = value else { return false }
    return text.utf8.contains { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) && $0 != UInt8(ascii: "-") }
}

private func requireHistory(_ items: [HistoryItem], place: String) throws(TaskError) -> [HistoryItem] {
    guard !items.isEmpty else {
        throw TaskError(.emptyHistory, place, found: "a history without items", remedy: "give at least one item")
    }
    return items
}

private func requireNew(
    _ id: String, in seen: inout Set<String>, place: String, what: String
) throws(TaskError) {
    guard seen.insert(id).inserted else { throw duplicate(what, place) }
}

/// Refuses keys outside `known`, naming the nearest of them.
func requireKeys(_ member: JSONObject, among known: [String], place: String) throws(TaskError) {
    for (key, _) in member.members where !known.contains(key) {
        throw TaskError(
            .unknownKey, "\(place): \(printableKey(key))", found: "an unknown key",
            remedy: nearest(to: key, in: known).map { "did you mean \($0)?" } ?? "leave it out")
    }
}

func missing(_ key: String, _ place: String) -> TaskError {
    TaskError(.missingField, "\(place): field \(key)", found: "nothing", remedy: "add the field \(key)")
}

func wrongType(_ value: JSONValue, _ wanted: String, _ place: String) -> TaskError {
    TaskError(.wrongType, place, found: value.kind, remedy: "write \(wanted)")
}

private func duplicate(_ what: String, _ place: String) -> TaskError {
    TaskError(.duplicate, place, found: "the same \(what) twice", remedy: "give each its own id")
}

private func tooMany(_ place: String) -> TaskError {
    TaskError(.tooLarge, place, found: "more than \(mostItems) of them", remedy: "keep the latest \(mostItems)")
}
