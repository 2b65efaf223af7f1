# Make the C table of the files in sql/ (store/sql.h):
#   LC_ALL=C awk -f embed-sql.awk sql/DRIVER/FILE... >sql_files.c
# Portable to mawk, gawk and busybox. FILEs may come in any order.

function parts(path, part, n) {
    n = split(path, part, "/")
    return part[n - 1] SUBSEP part[n]
}

FNR == 1 {
    file = parts(FILENAME)
    if (!(file in text))
        order[++count] = file
    text[file] = ""
}

{
    gsub(/\\/, "&&")
    gsub(/"/, "\\\"")
    gsub(/\t/, "\\t")
    text[file] = text[file] "     \"" $0 "\\n\"\n"
}

END {
    for (i = 2; i <= count; i++) {
        file = order[i]
        for (j = i - 1; j >= 1 && order[j] > file; j--)
            order[j + 1] = order[j]
        order[j + 1] = file
    }
    print "/* Made from sql/ by build-aux/embed-sql.awk. */"
    print "#include <stddef.h>"
    print ""
    print "#include \"store/sql.h\""
    print ""
    print "const cm_sql_file_t cm_sql_files[] = {"
    for (i = 1; i <= count; i++) {
        split(order[i], name, SUBSEP)
        printf "    {\"%s\", \"%s\",\n%s    },\n", name[1], name[2], \
            text[order[i]]
    }
    print "    {NULL, NULL, NULL}"
    print "};"
}
