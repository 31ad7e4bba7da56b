# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes the manual page of the bus: the XML of every interface is put in the place of the line @interfaces@ of the first file.

function unescape(s) {
        gsub(/&lt;/, "<", s)
        gsub(/&gt;/, ">", s)
        gsub(/&quot;/, "\"", s)
        gsub(/&amp;/, "\\&", s)
        return s
}

function roff(s) {
        gsub(/[ \t\n]+/, " ", s)
        sub(/^ /, "", s)
        sub(/ $/, "", s)
        s = unescape(s)
        gsub(/\\/, "\\e", s)
        gsub(/-/, "\\-", s)
        # Where a long answer of JSON may be broken.
        gsub(/,"/, ",\\:\"", s)
        return s
}

# One sentence a line; none of them begins a request.
function print_text(s) {
        s = roff(s)
        if (s == "")
                return
        gsub(/\. /, ".\n", s)
        gsub(/\n\./, "\n\\\\\\&.", s)
        if (s ~ /^[.']/)
                s = "\\&" s
        print s
}

function attribute(tag, name,    s) {
        if (!match(tag, " " name "=\"[^\"]*\""))
                return ""
        s = substr(tag, RSTART, RLENGTH)
        sub(/^[^"]*"/, "", s)
        sub(/"$/, "", s)
        return s
}

function argument(tag) {
        return attribute(tag, "type") " \\fI" attribute(tag, "name") "\\fR"
}

function member_end(    shown) {
        if (member == "")
                return
        shown = "\\fB" member "\\fR"
        if (kind != "property")
                shown = shown "(" taken ")"
        else
                shown = shown " (" taken ", constant)"
        if (given != "")
                shown = shown " \\(-> " (givens > 1 ? "(" given ")" : given)
        if (kind == "signal")
                shown = "signal " shown
        print ".TP"
        print shown
        sub("^[ \t\n]*" member ": *", "", text)
        print_text(text)
        member = text = ""
}

function member_begin(tag, what) {
        member_end()
        kind = what
        member = attribute(tag, "name")
        text = comment
        taken = what == "property" ? attribute(tag, "type") : ""
        given = comment = ""
        givens = 0
}

function interface_begin(tag) {
        print ".SH " toupper(substr(attribute(tag, "name"), length("org.tenantd.Tenant1.") + 1))
        print "Interface"
        print ".IR " attribute(tag, "name") "."
        # What is said about errors is the same everywhere, and stands once above.
        sub(/[ \t\n]*Errors are org\.tenantd.*/, "", comment)
        print_text(comment)
        comment = ""
}

function tag_read(tag) {
        if (tag ~ /^<interface /)
                interface_begin(tag)
        else if (match(tag, /^<(method|signal|property) /))
                member_begin(tag, substr(tag, 2, RLENGTH - 2))
        else if (tag ~ /^<arg /) {
                if (attribute(tag, "direction") == "out") {
                        given = given (givens++ ? ", " : "") argument(tag)
                } else
                        taken = taken (taken == "" ? "" : ", ") argument(tag)
        } else if (tag ~ /^<\/interface>/)
                member_end()
}

function document(s,    n) {
        comment = member = ""
        while ((n = index(s, "<")) > 0) {
                s = substr(s, n)
                if (substr(s, 1, 4) == "<!--") {
                        member_end()
                        n = index(s, "-->")
                        comment = substr(s, 5, n - 5)
                        s = substr(s, n + 3)
                } else {
                        n = index(s, ">")
                        tag_read(substr(s, 1, n))
                        s = substr(s, n + 1)
                }
        }
}

FNR == 1 {
        files++
}
files == 1 {
        frame[++lines] = $0
        next
}
{
        whole[files] = whole[files] $0 "\n"
}
END {
        for (i = 1; i <= lines; i++)
                if (frame[i] == "@interfaces@")
                        for (f = 2; f <= files; f++)
                                document(whole[f])
                else
                        print frame[i]
}
