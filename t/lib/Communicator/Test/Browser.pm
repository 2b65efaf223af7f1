package Communicator::Test::Browser;

# A page as a person sees it: in headless Chromium, at any width, by day and
# by night.
#
#   my $seen = Communicator::Test::Browser->look($html, width => 360, dark => 1);
#   # { overflow, wide, dark, contrast, offender, heading, banner, height, above }
#   # above: what stands above the charts
#
# CM_PICTURES=DIR keeps a picture of each page that has a name.

use strict;
use warnings;
use JSON::PP;
use Communicator::Test qw(folder program run_program spew slurp);

# What is measured in the page itself: how far it is wider than the window, and
# the least contrast of any text with what is behind it.
my $measure = <<'JS';
(function () {
  function rgb(text) {
    var parts = text.match(/[\d.]+/g).map(Number);
    return parts.length < 4 ? parts.concat(1) : parts;
  }
  function luminance(c) {
    var l = c.slice(0, 3).map(function (v) {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
    });
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2];
  }
  function behind(element) {
    for (; element; element = element.parentElement) {
      var c = rgb(getComputedStyle(element).backgroundColor);
      if (c[3] === 1) return c;
    }
    return [255, 255, 255, 1];
  }
  var least = 99, offender = '';
  var walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    var element = walker.currentNode.parentElement;
    var words = walker.currentNode.textContent.trim();
    if (!words || element.closest('script,style')) continue;
    var a = luminance(rgb(getComputedStyle(element).color));
    var b = luminance(behind(element));
    var ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least) { least = ratio; offender = words; }
  }
  var root = document.documentElement, wide = '';
  document.querySelectorAll('body *').forEach(function (element) {
    var box = element.getBoundingClientRect();
    if (box.right > root.clientWidth + 1 && box.width > 1)
      wide = wide || element.outerHTML.slice(0, 120);
  });
  return {
    overflow: root.scrollWidth - root.clientWidth, wide: wide, width: root.clientWidth,
    height: document.body.scrollHeight,
    above: (document.querySelector('.day') || document.querySelector('footer'))
      .getBoundingClientRect().top,
    dark: matchMedia('(prefers-color-scheme: dark)').matches ? 1 : 0,
    contrast: least, offender: offender,
    heading: document.querySelector('h1').innerText,
    banner: getComputedStyle(document.querySelector('.banner'))
      .backgroundColor
  };
})()
JS

sub program_file {
    return program('chromium', 'chromium-browser', 'google-chrome');
}

sub run_browser {
    my ($dir, @arguments) = @_;

    return run_program([program_file(), '--headless=new', '--no-sandbox',
        '--disable-gpu', '--hide-scrollbars', '--no-first-run',
        '--disable-dev-shm-usage', '--disable-background-networking',
        "--user-data-dir=$dir/profile", @arguments], timeout => 60,
        env => { HOME => $dir });
}

# Look at HTML in a frame of that width; see above.
sub look {
    my ($class, $html, %with) = @_;
    my $dir = folder('browser');
    my $page = $html =~ s{</body>}{<script>
document.documentElement.dataset.seen = JSON.stringify($measure);
parent.document.getElementById('seen').textContent =
  document.documentElement.dataset.seen;
</script></body>}r;
    my $srcdoc = $page =~ s/&/&amp;/gr =~ s/"/&quot;/gr;
    my $width = $with{width} || 1280;
    my @night = $with{dark} ? '--force-dark-mode' : ();

    spew("$dir/frame.html", '<!DOCTYPE html><meta charset="utf-8">',
        '<pre id="seen"></pre><iframe srcdoc="', $srcdoc,
        qq{" style="width:${width}px;height:800px;border:0"></iframe>});
    my $run = run_browser($dir, @night, '--window-size=1400,1000',
        '--virtual-time-budget=2000', '--dump-dom', "file://$dir/frame.html");
    my ($json) = $run->{out} =~ m{<pre id="seen">(.*?)</pre>}s;
    die "Chromium says nothing: $run->{out}$run->{err}" unless $json;
    $json =~ s/&lt;/</g;
    $json =~ s/&gt;/>/g;
    $json =~ s/&amp;/&/g;
    my $seen = decode_json($json);
    $class->picture($html, $seen, $dir, %with) if $with{name};
    return $seen;
}

sub picture {
    my ($class, $html, $seen, $dir, %with) = @_;
    my $keep = $ENV{CM_PICTURES} or return;
    my $file = sprintf '%s/%s-%d-%s.png', $keep, $with{name},
      $with{width} || 1280, $with{dark} ? 'dark' : 'light';

    spew("$dir/page.html", $html);
    run_browser($dir, $with{dark} ? '--force-dark-mode' : (),
        '--window-size=' . ($with{width} || 1280) . ",$seen->{height}",
        "--screenshot=$file", "file://$dir/page.html");
}

1;
