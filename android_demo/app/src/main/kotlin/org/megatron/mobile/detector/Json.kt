package org.megatron.mobile.detector

/** A document is not what its reader takes; the message says where and why. */
class DocumentFault(message: String) : Exception(message)

/**
 * A strict reader of RFC 8259 that needs no library: Android's own is absent from the JVM that tests this package, and
 * one more dependency would outweigh these lines. Objects become maps, arrays lists, numbers Double.
 */
internal class JsonReader private constructor(private val text: String) {
    private var at = 0

    private fun document(): Any? {
        val value = value(depth = 0)
        skipSpace()
        if (at < text.length) fail("something follows the document")
        return value
    }

    private fun value(depth: Int): Any? {
        if (depth > DEEPEST) fail("nested deeper than $DEEPEST")
        skipSpace()
        return when (peek()) {
            '{' -> members(depth)
            '[' -> elements(depth)
            '"' -> string()
            't' -> literal("true", true)
            'f' -> literal("false", false)
            'n' -> literal("null", null)
            else -> number()
        }
    }

    private fun members(depth: Int): Map<String, Any?> {
        val members = LinkedHashMap<String, Any?>()
        sequence('{', '}') {
            val name = string()
            skipSpace()
            expect(':')
            if (name in members) fail("\"$name\" stands there twice")
            members[name] = value(depth + 1)
        }
        return members
    }

    private fun elements(depth: Int): List<Any?> = ArrayList<Any?>().also { list ->
        sequence('[', ']') { list += value(depth + 1) }
    }

    private inline fun sequence(open: Char, close: Char, item: () -> Unit) {
        expect(open)
        skipSpace()
        if (peek() == close) {
            at++
            return
        }
        while (true) {
            skipSpace()
            item()
            skipSpace()
            if (peek() == close) break
            expect(',')
        }
        at++
    }

    private fun string(): String {
        expect('"')
        val out = StringBuilder()
        while (true) {
            when (val char = next()) {
                '"' -> return out.toString()
                '\\' -> out.append(escaped())
                else -> if (char < ' ') fail("a control character in a string") else out.append(char)
            }
        }
    }

    private fun escaped(): Char = when (val char = next()) {
        '"', '\\', '/' -> char
        'b' -> '\b'
        'f' -> '\u000c'
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'u' -> {
            val digits = text.substring(at, minOf(at + 4, text.length))
            if (!HEX.matches(digits)) fail("\\u takes four hexadecimal digits")
            at += 4
            digits.toInt(16).toChar()
        }
        else -> fail("\\$char is no escape")
    }

    private fun number(): Double {
        val match = NUMBER.find(text, at)?.takeIf { it.range.first == at } ?: fail("no value here")
        at = match.range.last + 1
        return match.value.toDouble().also { if (it.isInfinite()) fail("${match.value} is too large") }
    }

    private fun <T> literal(word: String, value: T): T {
        if (!text.startsWith(word, at)) fail("no value here")
        at += word.length
        return value
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in " \t\r\n") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else fail("the document ends early")

    private fun next(): Char = peek().also { at++ }

    private fun expect(char: Char) {
        if (peek() != char) fail("'$char' is missing")
        at++
    }

    private fun fail(what: String): Nothing = throw DocumentFault("character $at: $what")

    companion object {
        private const val DEEPEST = 64
        private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
        private val HEX = Regex("[0-9a-fA-F]{4}")

        /** The value of [text]; throws [DocumentFault] where it is no JSON. */
        fun read(text: String): Any? = JsonReader(text).document()
    }
}

/** A JSON object whose members are asked for by type; [path] says where it stands, for the faults it throws. */
internal class JsonObject(private val path: String, private val members: Map<*, *>) {
    fun text(name: String): String = textOrNull(name) ?: fail(name, "a text")

    fun textOrNull(name: String): String? = nullable(name, "a text or null") { it as? String }

    fun flag(name: String): Boolean = members[name] as? Boolean ?: fail(name, "true or false")

    fun number(name: String): Double = numberOrNull(name) ?: fail(name, "a number")

    fun numberOrNull(name: String): Double? = nullable(name, "a number or null") { it as? Double }

    /** The member as it would be written, "nothing" where there is none: for telling what came. */
    fun figure(name: String): String = when (val value = members[name]) {
        null -> "nothing"
        is Double -> if (value == value.toLong().toDouble()) value.toLong().toString() else value.toString()
        else -> "\"$value\""
    }

    fun whole(name: String): Long {
        val value = number(name)
        return value.toLong().takeIf { it.toDouble() == value } ?: fail(name, "a whole number")
    }

    fun child(name: String): JsonObject = childOrNull(name) ?: fail(name, "an object")

    fun childOrNull(name: String): JsonObject? =
        nullable(name, "an object or null") { value -> (value as? Map<*, *>)?.let { JsonObject("$path.$name", it) } }

    fun children(name: String): List<JsonObject> = list(name).mapIndexed { index, value ->
        JsonObject("$path.$name[$index]", value as? Map<*, *> ?: fail("$name[$index]", "an object"))
    }

    fun texts(name: String): List<String> = list(name).map { it as? String ?: fail(name, "texts") }

    fun numbers(name: String): List<Double> = list(name).map { it as? Double ?: fail(name, "numbers") }

    fun numbersOrNull(name: String): List<Double>? = if (members[name] == null) null else numbers(name)

    /** Every member that is itself an object, by its name. */
    fun objects(): Map<String, JsonObject> = members.keys.associate { it as String to child(it) }

    /** Every member as a number or null, by its name. */
    fun figures(): Map<String, Double?> = members.keys.associate { it as String to numberOrNull(it) }

    fun <T> one(name: String, of: Map<String, T>): T =
        of[text(name)] ?: fail(name, "one of ${of.keys.joinToString()}")

    fun fail(name: String, wanted: String): Nothing =
        throw DocumentFault("$path.$name: ${members[name]?.let { "\"$it\"" } ?: "nothing"}, where $wanted is needed")

    private fun list(name: String): List<*> = members[name] as? List<*> ?: fail(name, "a list")

    private fun <T : Any> nullable(name: String, wanted: String, cast: (Any) -> T?): T? {
        val value = members[name] ?: return null
        return cast(value) ?: fail(name, wanted)
    }

    companion object {
        /** The object that [text] is; throws [DocumentFault]. */
        fun read(text: String): JsonObject =
            JsonObject("$", JsonReader.read(text) as? Map<*, *> ?: throw DocumentFault("the document is no object"))
    }
}
