#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# hpcc.sh N NB: HPC Challenge with one process, of a matrix of N x N in blocks of NB. Prints
# its whole report, and how often the VMM had changed its paging mode by then.

# One process that nobody has started as one of many asks nobody for the others.
export OMPI_MCA_ess_singleton_isolated=1
export OMPI_MCA_mca_base_component_path=/files/plugins
cd /tmp || exit

# It knows its parameters by their lines: problem sizes, block sizes, order and number of
# process grids, threshold of the check, and how the factorization goes about it; then
# further sizes for PTRANS.
cat >hpccinf.txt <<END
parameters
of one process
file
8
1
$1
1
$2
0
1
1
1
16.0
1
2
1
4
1
2
1
1
1
1
1
1
2
64
0
0
1
8
end of HPL's
0
0
0
0
END
/files/hpcc || exit
cat hpccoutf.txt
read -r switches 2>/dev/null </sys/kernel/symbiotic/paging_switches
echo "paging_switches=${switches:-0}"
