# Makes of scdoc's output what mandoc has nothing to say about: scdoc begins paragraphs that are empty or follow a heading,
# leaves lines as long as they were written, and the title in lower case. What is shown stays the same.

# The first line tells man to run tbl, for tables.
BEGIN { print "'\\\" t" }

function flush() { if (paragraph) print ".P"; paragraph = 0 }

# Text, in lines of at most 80 bytes. None may begin like a request.
function wrap(text,    at) {
    while (length(text) > 78) {
        for (at = 78; at > 0; at--)
            if (substr(text, at, 1) == " " && substr(text, at + 1, 1) !~ /[ .']/ && substr(text, at - 1, 1) != " ") break
        if (!at) break
        print substr(text, 1, at - 1)
        text = substr(text, at + 1)
    }
    print text
}

/^\.TH / { $2 = toupper($2) }
/^\.nf$/ { verbatim = 1 }
/^\.fi$/ { verbatim = 0 }
/^\.TS$/ { table = 1 }
/^\.TE$/ { table = 0 }
# From a newer scdoc (Debian 13) it is `.PP`.
/^\.PP?$/ { paragraph = !heading; next }
/^\.(SH|SS|TH)/ { paragraph = 0 }
# The end of something indented comes first, then the space.
/^\.RE$/ { print; next }
{
    flush()
    heading = /^\.(SH|SS)/
    if (verbatim || table || /^[.']/) print; else wrap($0)
}
